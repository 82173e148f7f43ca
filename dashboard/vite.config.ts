// How the dashboard is built, and served while it is being written. `TASKLANE_SERVER` names the API behind both servers.
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig, type Plugin, type ProxyOptions } from 'vite'

const server = process.env.TASKLANE_SERVER ?? 'http://127.0.0.1:7070'
const options: ProxyOptions = {
  target: server,
  ws: true,
  // As any proxy says that nobody is behind it.
  configure: (made) => made.on('error', (_, __, answer) => 'writeHead' in answer && !answer.headersSent && answer.writeHead(502).end()),
}
const proxy = Object.fromEntries(
  ['/api', '/health', '/livez', '/readyz', '/metrics', '/docs'].map((path) => [path, options]),
)

// The same policy as the API role's (crates/api/src/dashboard.rs), so that `preview` shows what it would refuse.
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types svelte-trusted-html"

/** Smaller files are sent as they are, in bytes. */
const COMPRESSED_MIN = 512

/** Puts `NAME.br` and `NAME.gz` beside each file that they make smaller; the API role sends them as they are. */
function compressed(): Plugin {
  return {
    name: 'compressed',
    apply: 'build',
    async closeBundle() {
      for (const entry of await readdir('dist', { recursive: true, withFileTypes: true })) {
        if (!entry.isFile() || !/\.(html|js|css|svg|json)$/.test(entry.name)) continue
        const path = join(entry.parentPath, entry.name)
        const plain = await readFile(path)
        if (plain.length < COMPRESSED_MIN) continue
        const brotli = brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length } })
        const gzip = gzipSync(plain, { level: 9 })
        if (brotli.length < plain.length) await writeFile(`${path}.br`, brotli)
        if (gzip.length < plain.length) await writeFile(`${path}.gz`, gzip)
      }
      // The directory is there in every checkout, so that cargo can watch it.
      await writeFile('dist/.gitkeep', '')
    },
  }
}

export default defineConfig({
  plugins: [svelte(), compressed()],
  build: { target: 'es2023', modulePreload: { polyfill: false }, assetsInlineLimit: 0, reportCompressedSize: true },
  server: { proxy },
  preview: { proxy, headers: { 'Content-Security-Policy': policy } },
})
