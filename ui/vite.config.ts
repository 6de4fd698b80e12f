import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const server = process.env.AGENTWEAVER_SERVER ?? "http://127.0.0.1:8080";

/**
 * The binary serves what stands beside each file as `.gz` to who takes it, and
 * then needs no compressor of its own. After the bundle is written: until then
 * other plugins still change it.
 */
function gzipped(): Plugin {
  return {
    name: "gzipped",
    apply: "build",
    async writeBundle({ dir = "dist" }, bundle) {
      const texts = Object.keys(bundle).filter((name) => /\.(js|css|svg)$/.test(name));
      const pack = async (name: string) =>
        writeFile(join(dir, `${name}.gz`), gzipSync(await readFile(join(dir, name)), { level: 9 }));
      await Promise.all(texts.map(pack));
    },
  };
}

export default defineConfig({
  plugins: [react(), gzipped()],
  resolve: { alias: { "@": "/src" } },
  build: {
    target: "es2022",
    // Monaco alone is larger; it is a chunk of its own that only the Studio loads.
    chunkSizeWarningLimit: 5000,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": { target: server, changeOrigin: true } } },
  test: { include: ["src/**/*.test.ts", "src/**/*.test.tsx"], environment: "node" },
} as Parameters<typeof defineConfig>[0]);
