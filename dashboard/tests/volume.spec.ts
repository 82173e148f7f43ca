// A hundred thousand tasks: the list opens, goes deep and stays live. The last file, since what it leaves behind slows counting.
import { expect, test } from './fixtures'

test('a hundred thousand tasks in the list', async ({ page, work }) => {
  test.setTimeout(400_000)
  await work.post('/api/v1/queues/volume/pause')
  for (let batch = 0; batch < 10; batch += 1) {
    await work.post('/api/v1/tasks/batch', { tasks: Array.from({ length: 10_000 }, (_, n) => ({ module: 'echo', queue: 'volume', payload: n })) })
  }
  await page.goto('/tasks')
  await expect(page.locator('[data-task]').first()).toBeVisible()
  await expect(page.getByRole('link', { name: /^queued/ })).toContainText(/1\d\dK/)
  await page.goto('/tasks?queue=volume')
  const box = page.locator('[role=rowgroup].box')
  await expect(page.locator('[data-task]').first()).toBeVisible()
  const deep = () => box.evaluate((element) => (element.scrollTo({ top: element.scrollHeight }), Math.max(0, ...Array.from(document.querySelectorAll('[role=rowgroup].box [role=row]'), (row) => Number(row.getAttribute('data-at'))))))
  // Far enough to show that depth costs nothing; all of it would be 500 requests.
  await expect.poll(deep, { timeout: 200_000, intervals: [20] }).toBeGreaterThan(20_000)
  expect(await page.locator('[data-task]').count()).toBeLessThan(80)
  await work.submit('echo', 'the newest', { queue: 'volume' })
  await page.getByRole('button', { name: /New tasks/ }).click()
  await expect(page.locator('[data-at="0"]')).toBeVisible()
})
