// A development instance forgets everything, once somebody has typed the word.
import { test as base, expect } from '@playwright/test'
import { watch } from './fixtures'
import { Instance } from './instance'

base('a development instance is reset after a word was typed, and the page comes back to an empty one', async ({ page }) => {
  base.setTimeout(240_000)
  const wrong = await watch(page)
  const instance = await Instance.start()
  try {
    await instance.work.modules()
    const { id } = await instance.work.submit('echo', 'to be forgotten')
    await instance.work.ended(id)
    await page.goto(`${instance.url}/system`)
    await page.getByRole('region', { name: 'Development instance' }).getByRole('button', { name: 'Reset' }).click()
    const ask = page.getByRole('dialog')
    const yes = ask.getByRole('button', { name: 'Forget everything' })
    await expect(yes).toBeDisabled()
    await ask.getByRole('textbox').fill('rese')
    await expect(yes).toBeDisabled()
    await ask.getByRole('textbox').fill('reset')
    await yes.click()
    await instance.work.until('it is back and empty', async () => {
      const read = await instance.work.get('/api/v1/modules').catch(() => undefined)
      return read?.modules.length === 0
    }, 60)
    await expect(page.locator('[data-connection]')).toHaveAttribute('data-connection', /live|polling/, { timeout: 60_000 })
    await page.goto(`${instance.url}/tasks`)
    await expect(page.getByText('No tasks yet')).toBeVisible()
  } finally {
    await instance.stop()
  }
  expect(wrong).toEqual([])
})
