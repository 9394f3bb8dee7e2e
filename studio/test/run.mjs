// Runs the tests: `npm test` the logic and, where there is a Chromium, the page; `npm test -- unit` or `-- page` one of them.
import { spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const made = path.join(here, "..", "node_modules", ".test");
const [only] = process.argv.slice(2);
const files = [];
if (only !== "page") {
  rmSync(made, { recursive: true, force: true });
  const sources = readdirSync(path.join(here, "unit")).map((name) => path.join(here, "unit", name));
  await build({ entryPoints: sources, outdir: made, outExtension: { ".js": ".mjs" }, bundle: true, platform: "node", format: "esm", target: "node20", sourcemap: "inline", logLevel: "warning" });
  files.push(...readdirSync(made).map((name) => path.join(made, name)));
}
if (only !== "unit") files.push(...readdirSync(path.join(here, "page")).map((name) => path.join(here, "page", name)));
process.exit(spawnSync(process.execPath, ["--enable-source-maps", "--test", ...files], { stdio: "inherit" }).status ?? 1);
