// Looks at pages: `node tests/look.mjs URL-OF-DASHBOARD OUT-DIR [name=path …]` writes each as it is in light, dark and on a phone.
import { mkdir } from 'node:fs/promises'
import { chromium } from '@playwright/test'

const [base, out, ...pages] = process.argv.slice(2)
await mkdir(out, { recursive: true })
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox'] })
const kinds = (process.env.KINDS ?? 'light,dark,phone').split(',')
for (const kind of kinds) {
  const context = await browser.newContext({
    viewport: kind === 'phone' ? { width: 390, height: 844 } : { width: 1360, height: 860 },
    colorScheme: kind === 'dark' ? 'dark' : 'light',
  })
  const page = await context.newPage()
  page.on('console', (message) => ['error', 'warning'].includes(message.type()) && console.log(kind, page.url(), message.text()))
  page.on('pageerror', (error) => console.log(kind, page.url(), String(error)))
  for (const one of pages) {
    const [name, path] = one.split(/=(.*)/s)
    await page.goto(base + path)
    await page.waitForTimeout(Number(process.env.WAIT ?? 1500))
    await page.screenshot({ path: `${out}/${name}-${kind}.png`, fullPage: process.env.FULL === '1' })
  }
  await context.close()
}
await browser.close()
