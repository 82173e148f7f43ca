// The live feed, and a page that nobody looks at.
import { expect, test } from './fixtures'

test('the same over a WebSocket', { tag: '@core' }, async ({ page, work }) => {
  await page.goto('/system')
  const heard = page.evaluate(
    () =>
      new Promise<string>((resolve, reject) => {
        const socket = new WebSocket(`ws://${location.host}/api/v1/events/ws`)
        socket.onmessage = ({ data }) => (JSON.parse(String(data)) as { event: string }).event === 'tasks' && resolve(String(data))
        socket.onerror = () => reject(new Error('the WebSocket broke off'))
      }),
  )
  await work.submit('echo', 1)
  expect(JSON.parse(await heard).data.counts).toBeTruthy()
})

test('a hidden page asks for nothing, and catches up when it is seen again', async ({ page, work }) => {
  const label = `at-${Date.now()}`
  await page.goto(`/tasks?label=hidden:${label}`)
  await expect(page.getByText('No task matches')).toBeVisible()
  const show = (hidden: boolean) =>
    page.evaluate((value) => {
      Object.defineProperty(document, 'hidden', { value, configurable: true })
      document.dispatchEvent(new Event('visibilitychange'))
    }, hidden)
  await show(true)
  await expect(page.locator('[data-connection]')).toHaveAttribute('data-connection', 'paused')
  // What was under way may still end.
  await page.waitForTimeout(1_500)
  let asked = 0
  page.on('request', (request) => (asked += request.url().includes('/api/') ? 1 : 0))
  const { id } = await work.submit('echo', 1, { labels: { hidden: label } })
  await page.waitForTimeout(4_000)
  expect(asked).toBe(0)
  // It goes on where it stopped.
  const again = page.waitForRequest((request) => /\/api\/v1\/events\?cursor=./.test(request.url()))
  await show(false)
  await again
  await expect(page.locator(`[data-task="${id}"]`)).toBeVisible()
})
