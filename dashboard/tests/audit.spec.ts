// Who did what: the audit log, page by page, of one actor, and of what was refused.
import { expect, test } from './fixtures'

test('what is done is in the audit log, with what it came to, and older pages follow', { tag: '@core' }, async ({ page, work }) => {
  const queue = `audited-${Date.now()}`
  await page.goto('/events?view=audit')
  const log = page.getByRole('region', { name: 'Audit log' })
  await expect(log.locator('[data-entry]').first()).toBeVisible()
  await work.post(`/api/v1/queues/${queue}/pause`)
  const row = log.locator('[data-entry]').filter({ hasText: queue })
  await expect(row.first()).toContainText('/pause')
  await expect(row.first().locator('.pill')).toHaveText(/^2\d\d$/)
  await work.post(`/api/v1/queues/${queue}/resume`)
  await expect(row).toHaveCount(2)
  for (let n = 0; n < 60; n += 1) await work.post(`/api/v1/queues/${queue}/pause`)
  // The link leads on from what is shown: not before the newest page is full of what came after.
  await expect(row.filter({ hasText: '/resume' })).toHaveCount(0)
  const older = page.getByRole('link', { name: 'Older' })
  await older.click()
  await expect(page).toHaveURL(/cursor=/)
  await expect(row.filter({ hasText: '/resume' })).toHaveCount(1)
  await page.getByRole('link', { name: 'The newest' }).click()
  await expect(page).not.toHaveURL(/cursor=/)
  await page.getByLabel('Actor').fill('token:tlk_0000000000000000')
  await page.getByRole('button', { name: 'Show' }).click()
  await expect(page).toHaveURL(/actor=token/)
  await expect(page.getByText('Nothing was done')).toBeVisible()
  await work.post(`/api/v1/queues/${queue}/resume`)
})
