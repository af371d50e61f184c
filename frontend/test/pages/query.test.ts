import assert from "node:assert/strict";
import { test } from "node:test";
import { fieldIn, withField } from "../../src/pages/query.ts";

test("a field's value is read where a filter may change it, and nowhere else", () => {
  assert.equal(fieldIn("passwd user:avery", "user"), "avery");
  assert.equal(fieldIn('host:"web one" x', "host"), "web one");
  assert.equal(fieldIn("User:Avery", "user"), "Avery");
  assert.equal(fieldIn("/etc/passwd /etc user:avery", "user"), "avery");
  for (const query of [
    "",
    "user",
    '"user:avery"',
    "/user:avery/",
    "NOT user:avery",
    "-user:avery",
    "*a user:avery*",
    "(user:avery)",
    "user:avery OR user:blake",
  ]) {
    assert.equal(fieldIn(query, "user"), null, query);
  }
});

test("a field is set, replaced and removed, and all else stays", () => {
  assert.equal(withField("", "user", "avery"), "user:avery");
  assert.equal(withField('"a b"  /x y/i', "host", "web1"), '"a b"  /x y/i host:web1');
  assert.equal(withField("user:avery passwd", "user", "blake"), "passwd user:blake");
  assert.equal(withField("passwd AND user:avery", "user", null), "passwd");
  assert.equal(withField("user:avery AND passwd", "user", null), "passwd");
  assert.equal(withField("user:a x user:b", "user", null), "x");
  assert.equal(withField("NOT user:avery", "user", "blake"), "NOT user:avery user:blake");
});

test("what OR joins is kept together when a filter is added", () => {
  assert.equal(withField("rm OR shred", "host", "web1"), "(rm OR shred) host:web1");
  assert.equal(withField("(rm OR shred) host:web1", "host", null), "(rm OR shred)");
});

test("a value that is set is read back, whatever is in it", () => {
  for (const value of ["avery", "a b", 'q"uote', "back\\slash", "(x)", "ä:ö", "/r/"]) {
    for (const query of ["", "word", '"one two" NOT x', "a OR b"]) {
      const changed = withField(query, "user", value);
      assert.equal(fieldIn(changed, "user"), value, changed);
    }
  }
});

test("what is half typed does no harm", () => {
  for (const query of ['"open', "/open", "user:", ")(", "((", 'user:"x', "\\", '"\\']) {
    assert.ok(withField(query, "host", "web1").endsWith("host:web1"), query);
    assert.ok(withField(query, "host", null).length <= query.length, query);
  }
});
