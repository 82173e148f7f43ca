// One namespace at a time: chosen in the frame, kept in the address, honoured by every view.
import { expect, test } from './fixtures'

test('a chosen namespace stays in the address, and every view shows nothing of another', { tag: '@core' }, async ({ page, work }) => {
  const file = 'plugins/target/wasm32-wasip2/release/fixture_guest.wasm'
  await work.deploy(file, { name: 'here', version: '1.0.0' }, 'tenant')
  const { batch } = await work.post('/api/v1/tasks/batch', { tasks: [{ module: 'here', namespace: 'tenant', payload: { do: 'fail' }, retry: { max_attempts: 1 } }] })
  await work.until('it fails', async () => (await work.get('/api/v1/tasks?namespace=tenant&status=failed')).tasks.length === 1)
  await work.post('/api/v1/schedules', { name: 'tenants-own', expression: '@daily', task: { module: 'here', namespace: 'tenant' } })

  await page.goto('/')
  await page.getByRole('navigation', { name: 'Pages' }).getByLabel('Namespace').selectOption('tenant')
  await expect(page).toHaveURL(/\/\?namespace=tenant$/)
  await expect(page.getByRole('region', { name: 'Namespace tenant' })).toContainText('Tasks that run')
  await expect(page.getByRole('region', { name: 'Newest failures' }).getByRole('listitem')).toHaveCount(1)

  const side = page.getByRole('navigation', { name: 'Pages' })
  await side.getByRole('link', { name: 'Tasks' }).click()
  await expect(page).toHaveURL(/\/tasks\?namespace=tenant$/)
  await expect(page.locator('[data-task]')).toHaveCount(1)
  await side.getByRole('link', { name: 'Dead letters' }).click()
  await expect(page.locator('[data-group]')).toHaveCount(1)
  await side.getByRole('link', { name: 'Workflows' }).click()
  await expect(page.locator('[data-batch]')).toHaveCount(1)
  await expect(page.locator(`[data-batch="${batch}"]`)).toBeVisible()
  await side.getByRole('link', { name: 'Modules' }).click()
  await expect(page.locator('main a.tile')).toHaveCount(1)
  await expect(page.locator('main a.tile')).toContainText('tenant/here')
  // The keyboard stays there, too.
  await page.keyboard.press('g')
  await page.keyboard.press('s')
  await expect(page.locator('[data-schedule]')).toHaveCount(1)
  await expect(page).toHaveURL(/\/schedules\?namespace=tenant$/)
  await side.getByRole('link', { name: 'Events' }).click()
  await expect(page.getByRole('region', { name: 'Tasks that ended' }).getByRole('listitem')).toHaveCount(1)
  await side.getByRole('link', { name: 'Queues' }).click()
  await expect(page.getByRole('note')).toContainText('whole cluster')

  // What the address says is what another browser shows.
  await page.goto('/modules?namespace=nobodys')
  await expect(page.getByText('No modules yet')).toBeVisible()
  await side.getByLabel('Namespace').selectOption('')
  await expect(page).toHaveURL(/\/modules$/)
  await expect(page.locator('main a.tile').first()).toBeVisible()
  await work.call('DELETE', '/api/v1/schedules/tenants-own')
})
