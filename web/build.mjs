// Bundles the console: hashed names into OUT, and manifest.json that maps entries to them.
import { build } from "esbuild";
import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.env.VOLTYARD_STATIC ?? join(here, "../src/voltyard/web/static");

await mkdir(out, { recursive: true });
const result = await build({
  absWorkingDir: here,
  entryPoints: { app: "app.ts", style: "style/main.css" },
  outdir: out,
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  target: ["es2022", "chrome123", "firefox120", "safari17.5"],
  minify: true,
  legalComments: "none",
  loader: { ".woff2": "file" },
  metafile: true,
  logLevel: "warning",
});

const manifest = {};
const kept = new Set(["manifest.json"]);
for (const [path, output] of Object.entries(result.metafile.outputs)) {
  const name = basename(path);
  kept.add(name);
  if (output.entryPoint === "app.ts") manifest["app.js"] = name;
  if (output.entryPoint === "style/main.css") manifest["style.css"] = name;
  if (/^inter-latin-wght-normal-.*\.woff2$/.test(name)) manifest["inter.woff2"] = name;
}
for (const name of await readdir(out)) if (!kept.has(name)) await rm(join(out, name));
await writeFile(join(out, "manifest.json"), JSON.stringify(manifest));
