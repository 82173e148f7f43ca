// A page that must stay clean: no error, nothing that the policy refused, no dialog; and the live instance behind it.
import { test as base, expect, type Page } from '@playwright/test'
import { Work } from './work.mjs'

export interface Seed {
  echo: string[]
  fixture: string[]
  fuel: string
  later: string
  sleeper: string
  batch: string
}

interface Own {
  work: Work
  seed: Seed
  url: string
  clean: void
}

export async function watch(page: Page): Promise<string[]> {
  const wrong: string[] = []
  page.on('pageerror', (error) => wrong.push(String(error)))
  page.on('dialog', (dialog) => {
    wrong.push(`a dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  // A refused request is an answer that the page shows; what the policy refuses, and errors of the page itself, are not.
  page.on('console', (message) => {
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) wrong.push(message.text())
  })
  await page.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`))
  })
  return wrong
}

export const test = base.extend<Own>({
  work: async ({}, use) => use(new Work(process.env.DASHBOARD_SERVER ?? '')),
  seed: async ({}, use) => use(JSON.parse(process.env.DASHBOARD_SEED ?? '{}') as Seed),
  url: async ({}, use) => use(process.env.DASHBOARD_URL ?? ''),
  baseURL: async ({}, use) => use(process.env.DASHBOARD_URL),
  clean: [
    async ({ page }, use) => {
      const wrong = await watch(page)
      await use()
      expect(wrong).toEqual([])
    },
    { auto: true },
  ],
})

/** A measured number: into the report, from which `npm run budgets` has it. */
export function figure(name: string, value: number, unit: string): void {
  base.info().annotations.push({ type: 'figure', description: JSON.stringify({ name, value: Math.round(value * 10) / 10, unit }) })
}

/** The middle one, or another part. */
export const quantile = (of: number[], part = 0.5): number => of.toSorted((a, b) => a - b)[Math.floor(of.length * part)] ?? Infinity

export { expect }
