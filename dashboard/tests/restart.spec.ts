// The server goes away and comes back, under an open page.
import { test as base, expect } from '@playwright/test'
import { watch } from './fixtures'
import { Instance } from './instance'

base('a page outlives a restart of the API and catches up', async ({ page }) => {
  base.setTimeout(240_000)
  const wrong = await watch(page)
  const instance = await Instance.start()
  try {
    await instance.work.modules()
    const { id } = await instance.work.submit('echo', 'before')
    await instance.work.ended(id)
    await page.goto(`${instance.url}/tasks`)
    await expect(page.locator(`[data-task="${id}"]`)).toBeVisible()
    await instance.down()
    await expect(page.locator('[data-connection]')).toHaveAttribute('data-connection', 'offline')
    await expect(page.locator(`[data-task="${id}"]`)).toBeVisible()
    await instance.up()
    await expect(page.locator('[data-connection]')).toHaveAttribute('data-connection', /live|polling/, { timeout: 60_000 })
    const after = await instance.work.submit('echo', 'after')
    await expect(page.locator(`[data-task="${after.id}"]`)).toBeVisible()
  } finally {
    await instance.stop()
  }
  expect(wrong).toEqual([])
})
