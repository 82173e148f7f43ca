// The TypeScript client in a page of another site, which `cors_origins` lets in: what its story in Node tells (tests/tests/clients.rs) holds in a browser.
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { test as base, expect } from '@playwright/test'
import { Instance } from './instance'

const client = new URL('../../sdk/client-ts/index.js', import.meta.url)

/** A site with an empty page and the client. */
const site = async (): Promise<{ server: Server; origin: string }> => {
  const script = await readFile(client, 'utf8')
  const server = createServer((asked, answer) => {
    const isScript = asked.url === '/client.js'
    answer.setHeader('Content-Type', isScript ? 'text/javascript' : 'text/html')
    answer.end(isScript ? script : '<!doctype html><title>An app</title>')
  })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { server, origin: `http://127.0.0.1:${address.port}` }
}

base('the client works in a page of a site that was let in, and in no other', { tag: '@core' }, async ({ page }) => {
  base.setTimeout(240_000)
  const [letIn, other] = [await site(), await site()]
  process.env.TASKLANE_CORS_ORIGINS = letIn.origin
  const instance = await Instance.start().finally(() => delete process.env.TASKLANE_CORS_ORIGINS)
  try {
    await instance.work.modules()
    const run = async (origin: string) => {
      await page.goto(`${origin}/`)
      return page.evaluate(`(async () => {
        const { Tasklane } = await import('/client.js')
        const tasklane = new Tasklane({ server: ${JSON.stringify(instance.server)}, tries: 1 })
        return tasklane.run('echo', { text: 'Grüße' })
      })()`)
    }
    expect(await run(letIn.origin)).toEqual({ text: 'Grüße' })
    await expect(run(other.origin)).rejects.toThrow('cannot be reached')
  } finally {
    letIn.server.close()
    other.server.close()
    await instance.stop()
  }
})
