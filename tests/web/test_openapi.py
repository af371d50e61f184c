"""The OpenAPI document is valid, true, and whole."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from running_server import Running
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from steno.web.endpoint import Endpoint
from steno.web.table import ENDPOINTS, PREFIX

DOCS = Path(__file__).parents[2] / "docs" / "api.md"
NEVER_END = {"/changes", "/recordings/{rec}/live"}
SLOW_ON_PURPOSE = {"/session", "/users"}
HAS_A_LANGUAGE = {"q", "cursor", "format"}
"""Parameters of which not every text that the schema allows makes sense."""
TESTED = [item for item in ENDPOINTS if item.path not in NEVER_END | SLOW_ON_PURPOSE]


def test_the_document_is_valid(running: Running) -> None:
    """It keeps to OpenAPI 3.1."""
    document = running.client().get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document).validate()


def test_the_document_holds_every_endpoint(running: Running) -> None:
    """What is in the table is in the document, and nothing else; all ids differ."""
    paths = running.client().get("/api/v1/openapi.json").json()["paths"]
    found = {(method.upper(), path) for path, item in paths.items() for method in item}
    assert found == {(endpoint.method, PREFIX + endpoint.path) for endpoint in ENDPOINTS}
    ids = [operation["operationId"] for item in paths.values() for operation in item.values()]
    assert len(ids) == len(set(ids))


def test_the_documentation_holds_every_endpoint() -> None:
    """docs/api.md names each method, path and query parameter, and no others."""
    text = DOCS.read_text()
    named = set(re.findall(r"`(GET|POST|PATCH|DELETE) (/[^`?\s]*)", text))
    table = {(endpoint.method, endpoint.path) for endpoint in ENDPOINTS}
    others = {
        ("POST", "/ingest/{rec}"),
        ("GET", "/ingest/{rec}"),
        ("POST", "/enrol"),
        ("POST", "/heartbeat"),
        ("GET", "/orders"),
        ("POST", "/renew"),
        ("GET", "/once/{secret}"),
        ("GET", "/healthz"),
        ("GET", "/metrics"),
    }
    assert named - others == table
    for endpoint in ENDPOINTS:
        for name in endpoint.query.__struct_encode_fields__ if endpoint.query else ():
            assert f"`{name}`" in text, f"{endpoint.path}: {name}"


@pytest.fixture(scope="module")
def api_schema(running: Running) -> Any:  # noqa: ANN401  # schemathesis' own
    """The document as schemathesis reads it."""
    return schemathesis.openapi.from_url(f"{running.url}/api/v1/openapi.json")


@pytest.fixture(scope="module")
def admin_token(running: Running) -> str:
    """A token that may call almost everything."""
    return running.accounts().add_token("ada", role="admin")[1]


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("endpoint", TESTED, ids=lambda item: f"{item.method} {item.path}")
def test_answers_are_what_the_document_says(
    endpoint: Endpoint,
    mode: GenerationMode,
    api_schema: Any,  # noqa: ANN401  # schemathesis' own
    admin_token: str,
) -> None:
    """Whatever is asked, right or wrong: no 5xx, documented statuses, types and bodies."""
    operation = api_schema[PREFIX + endpoint.path][endpoint.method]
    headers = {"Authorization": f"Bearer {admin_token}"}

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=15,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: schemathesis.Case) -> None:
        if case.path_parameters.get("rec"):
            case.path_parameters["rec"] = "a1ice-0001"
        excluded = [ignored_auth]
        if HAS_A_LANGUAGE & set(endpoint.query.__struct_encode_fields__ if endpoint.query else ()):
            excluded.append(positive_data_acceptance)
        case.call_and_validate(headers=headers, excluded_checks=excluded)

    if mode is GenerationMode.NEGATIVE and not (endpoint.query or endpoint.body):
        # Nothing but a path: what is not in it, is asked for by the other tests.
        return
    ask()


def test_the_document_can_be_had_by_anybody(running: Running) -> None:
    """It needs no sign-in, and holds no recording."""
    answer = httpx2.get(f"{running.url}/api/v1/openapi.json", trust_env=False)
    assert answer.status_code == 200
