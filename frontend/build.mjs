// Builds the front end: `node build.mjs` writes ../src/steno/web/static, `--watch` keeps it fresh,
// `--tests` compiles the unit tests to build/test, `--example` puts a page with a player into
// build/example, `--out DIR` builds somewhere else.
import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import * as esbuild from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const options = process.argv.slice(2);
const outAt = options.indexOf("--out");
const out = outAt >= 0 ? resolve(options[outAt + 1]) : join(here, "../src/steno/web/static");

/** What both bundles share. Style sheets that a module imports come as text, for adoptedStyleSheets. */
const shared = {
  absWorkingDir: here,
  bundle: true,
  minify: true,
  sourcemap: options.includes("--watch") ? "inline" : false,
  charset: "utf8",
  target: ["es2022", "chrome111", "firefox113", "safari16.4"],
  legalComments: "eof",
  loader: { ".css": "text" },
  logLevel: "warning",
  // The package names its CommonJS file only; the other one is a fifth smaller.
  alias: { "@xterm/headless": "@xterm/headless/lib-headless/xterm-headless.mjs" },
};

/** player.js stands alone: classic script or module, from a server, a file or inside a page. */
const player = {
  ...shared,
  entryPoints: ["src/player/index.ts"],
  outfile: join(out, "player.js"),
  format: "iife",
  // A self-contained page carries this file inside <script>: non-ASCII must survive any encoding.
  charset: "ascii",
};

const pages = {
  ...shared,
  entryPoints: ["src/pages/index.ts"],
  outfile: join(out, "app.js"),
  format: "esm",
};

async function copyPublic() {
  await cp(join(here, "public"), out, { recursive: true });
}

async function filesBelow(folder, suffix) {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

/** The licences of what is bundled, which their terms want to travel with the copies. */
async function writeLicences(inputs) {
  const packages = new Set(
    inputs.map((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1]).filter(Boolean),
  );
  const parts = [];
  for (const name of [...packages].sort()) {
    const folder = join(here, "node_modules", name);
    const { version, license } = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    const file = (await readdir(folder)).find((entry) => /^licen[cs]e/i.test(entry));
    // @xterm/headless comes without its licence's text: that is xterm.js's, from @xterm/xterm.
    const path = file
      ? join(folder, file)
      : join(here, "licences", `${name.replace("/", "+")}.txt`);
    const text = await readFile(path, "utf8");
    parts.push(`${name} ${version} (${license})\n\n${text.trim()}\n`);
  }
  await writeFile(join(out, "THIRD-PARTY.txt"), parts.join(`\n${"-".repeat(78)}\n\n`));
}

async function buildTests() {
  const outdir = join(here, "build/test");
  await rm(outdir, { recursive: true, force: true });
  await esbuild.build({
    ...shared,
    minify: false,
    sourcemap: "inline",
    entryPoints: await filesBelow(join(here, "test"), ".test.ts"),
    outbase: "test",
    outdir,
    outExtension: { ".js": ".mjs" },
    platform: "node",
    format: "esm",
    target: "node20",
  });
}

async function buildAll() {
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  const results = await Promise.all(
    [player, pages].map((bundle) => esbuild.build({ ...bundle, metafile: true })),
  );
  await copyPublic();
  await writeLicences(results.flatMap((result) => Object.keys(result.metafile.inputs)));
}

async function buildExample() {
  const outdir = join(here, "build/example");
  await rm(outdir, { recursive: true, force: true });
  await cp(join(here, "example"), outdir, { recursive: true });
  await esbuild.build({ ...player, outfile: join(outdir, "player.js") });
}

async function watchAll() {
  await mkdir(out, { recursive: true });
  await copyPublic();
  for (const bundle of [player, pages]) await (await esbuild.context(bundle)).watch();
}

if (options.includes("--tests")) await buildTests();
else if (options.includes("--example")) await buildExample();
else if (options.includes("--watch")) await watchAll();
else await buildAll();
