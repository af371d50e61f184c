"""The API's table: every endpoint under /api/v1, but for those that hosts deliver to."""

from __future__ import annotations

from steno.web.endpoint import Endpoint
from steno.web.table_audit import AUDIT
from steno.web.table_people import PEOPLE
from steno.web.table_recordings import RECORDINGS

PREFIX = "/api/v1"

ENDPOINTS: tuple[Endpoint, ...] = (*PEOPLE, *RECORDINGS, *AUDIT)
