// Builds the page into `dist`: one script, one sheet of styles, the mixer, and nothing from elsewhere.
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = path.dirname(fileURLToPath(import.meta.url));
const dist = path.join(here, "dist");

const packages = new Set(); // that came into the page

/** Bundles one entry and gives the address at which the page finds it. */
async function bundle(entry, define = {}) {
  const { metafile } = await build({
    absWorkingDir: here,
    entryPoints: [entry],
    entryNames: "[name]-[hash]",
    outdir: path.join(dist, "assets"),
    bundle: true,
    minify: true,
    format: "esm",
    target: ["chrome111", "firefox113", "safari16.4"],
    jsx: "automatic",
    jsxImportSource: "preact",
    define,
    metafile: true,
    logLevel: "warning",
  });
  for (const input of Object.keys(metafile.inputs)) {
    const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(input)?.[1];
    if (name) packages.add(name);
  }
  return `/assets/${path.basename(Object.keys(metafile.outputs)[0])}`;
}

await rm(dist, { recursive: true, force: true });
await mkdir(path.join(dist, "assets"), { recursive: true });
const mixer = await bundle("src/audio/worklet.ts");
const addresses = {
  script: await bundle("src/main.tsx", { MIXER_ADDRESS: JSON.stringify(mixer) }),
  styles: await bundle("src/style.css"),
  icon: "/assets/icon.svg",
};
await writeFile(path.join(dist, "assets", "icon.svg"), await readFile(path.join(here, "src", "icon.svg")));
const licenses = [...packages].sort().map(async (name) => `${name}\n\n${await readFile(path.join(here, "node_modules", name, "LICENSE"), "utf8")}`);
await writeFile(path.join(dist, "assets", "licenses.txt"), (await Promise.all(licenses)).join("\n\n"));
const page = await readFile(path.join(here, "src", "index.html"), "utf8");
await writeFile(
  path.join(dist, "index.html"),
  page.replace(/\{(\w+)\}/g, (_, name) => addresses[name]),
);
