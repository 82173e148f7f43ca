// How the dashboard is built, and served while it is being written. `TASKLANE_SERVER` names the API behind both servers.
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vite'

const server = process.env.TASKLANE_SERVER ?? 'http://127.0.0.1:7070'
const proxy = Object.fromEntries(
  ['/api', '/health', '/livez', '/readyz', '/metrics', '/docs'].map((path) => [path, { target: server, ws: true }]),
)

// The same policy as the API role's (crates/api/src/dashboard.rs), so that `preview` shows what it would refuse.
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html"

export default defineConfig({
  plugins: [svelte()],
  build: { target: 'es2023', modulePreload: { polyfill: false }, assetsInlineLimit: 0, reportCompressedSize: true },
  server: { proxy },
  preview: { proxy, headers: { 'Content-Security-Policy': policy } },
})
