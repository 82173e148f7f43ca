// Tests in a real Chromium against a live instance: `npm test`. `CHROMIUM` names the browser, `TASKCTL` the program.
import { defineConfig } from '@playwright/test'

const root = process.getuid?.() === 0

export default defineConfig({
  testDir: 'tests',
  globalSetup: './tests/setup.ts',
  // One instance serves all tests, and two cores run it together with the browser.
  workers: 1,
  timeout: 90_000,
  expect: { timeout: 20_000 },
  reporter: [['list']],
  outputDir: 'test-results',
  use: {
    viewport: { width: 1280, height: 860 },
    locale: 'en-GB',
    timezoneId: 'Europe/Vienna',
    screenshot: 'only-on-failure',
    launchOptions: { executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: root ? ['--no-sandbox'] : [] },
  },
})
