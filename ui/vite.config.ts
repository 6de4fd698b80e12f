import { gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const server = process.env.AGENTWEAVER_SERVER ?? "http://127.0.0.1:8080";

/**
 * The binary serves what stands beside each file as `.gz` to who takes it, and
 * then needs no compressor of its own.
 */
function gzipped(): Plugin {
  return {
    name: "gzipped",
    apply: "build",
    generateBundle(_, bundle) {
      for (const [name, output] of Object.entries(bundle)) {
        if (!/\.(js|css|svg)$/.test(name)) continue;
        const text = output.type === "chunk" ? output.code : output.source;
        this.emitFile({ type: "asset", fileName: `${name}.gz`, source: gzipSync(text, { level: 9 }) });
      }
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
