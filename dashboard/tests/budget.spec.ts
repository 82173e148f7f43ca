// How much is loaded, how soon something is seen, and how soon a change: with generous bounds, and the figures in the report.
import { expect, figure, test } from './fixtures'

const SCRIPT_GZIP_BYTES_MAX = 100_000

test('the first page loads at most 100 kB of script', { tag: '@core' }, async ({ page }) => {
  const { gzipSync } = await import('node:zlib')
  let sum = 0
  const pending: Promise<void>[] = []
  page.on('response', (response) => {
    if (response.request().resourceType() !== 'script') return
    pending.push(response.body().then((body) => void (sum += gzipSync(body, { level: 9 }).length)))
  })
  await page.goto('/', { waitUntil: 'load' })
  await expect(page.locator('.u-wrap canvas')).toBeVisible()
  await Promise.all(pending)
  figure(`script of the overview with its chart: ${sum} bytes gzip`)
  expect(sum).toBeGreaterThan(20_000)
  expect(sum).toBeLessThanOrEqual(SCRIPT_GZIP_BYTES_MAX)
})

const PAINTS = 5

test('the first paint', { tag: '@core' }, async ({ browser, baseURL }) => {
  const [paints, contents]: [number[], number[]] = [[], []]
  // Each in a browser that has nothing yet; the first one also warms the server's pages up.
  for (let at = 0; at < PAINTS; at += 1) {
    const context = await browser.newContext()
    const page = await context.newPage()
    await page.goto(`${baseURL}/`)
    await page.locator('[data-verdict]').waitFor()
    contents.push(await page.evaluate(() => performance.now()))
    paints.push(await page.evaluate(() => new Promise<number>((resolve) => new PerformanceObserver((list) => list.getEntriesByName('first-contentful-paint').forEach((entry) => resolve(entry.startTime))).observe({ type: 'paint', buffered: true }))))
    await context.close()
  }
  const median = (of: number[]) => of.toSorted((a, b) => a - b)[Math.floor(PAINTS / 2)] ?? Infinity
  figure(`first contentful paint, nothing cached: median of ${PAINTS} ${median(paints).toFixed(0)} ms, worst ${Math.max(...paints).toFixed(0)} ms`)
  figure(`the overview with its numbers, nothing cached: median of ${PAINTS} ${median(contents).toFixed(0)} ms`)
  expect(median(paints)).toBeLessThan(1_500)
})

test('a change is seen', { tag: '@core' }, async ({ page, work }) => {
  const label = `at-${Date.now()}`
  await page.goto(`/tasks?label=seen:${label}`)
  await expect(page.getByText('No task matches')).toBeVisible()
  await page.waitForFunction(() => ['live', 'polling'].includes(document.querySelector('[data-connection]')?.getAttribute('data-connection') ?? ''))
  const begun = Date.now()
  const { id } = await work.submit('echo', 1, { labels: { seen: label } })
  await page.locator(`[data-task="${id}"]`).waitFor()
  const took = Date.now() - begun
  figure(`a change, from submit to the row: ${took} ms`)
  expect(took).toBeLessThan(10_000)
})
