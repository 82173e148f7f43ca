// The keyboard: single keys and `g` followed by one, never while somebody types.

export interface Shortcut {
  keys: string
  words: string
  run: () => void
}

const SECOND_KEY_MS = 1_200

class Keys {
  /** Of the page that is open, shown in the help. */
  page = $state.raw<Shortcut[]>([])
  everywhere: Shortcut[] = []
  #first = ''
  #firstAt = 0

  listen(): void {
    document.addEventListener('keydown', (event) => this.#pressed(event))
  }

  #pressed(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.isComposing) return
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
      event.preventDefault()
      return this.#find('Ctrl K')?.run()
    }
    if (event.ctrlKey || event.metaKey || event.altKey || types(event.target)) return
    if (document.querySelector('dialog[open]') !== null) return
    const pair = Date.now() - this.#firstAt < SECOND_KEY_MS && this.#first !== '' ? `${this.#first} ${event.key}` : ''
    this.#first = ''
    const found = (pair !== '' && this.#find(pair)) || this.#find(event.key)
    if (found) {
      event.preventDefault()
      found.run()
    } else if (event.key === 'g') {
      this.#first = 'g'
      this.#firstAt = Date.now()
    }
  }

  #find(keys: string): Shortcut | undefined {
    return this.page.find((one) => one.keys === keys) ?? this.everywhere.find((one) => one.keys === keys)
  }
}

const types = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))

export const keys = new Keys()

/** Gives the page shortcuts of its own for as long as it is open. */
export function pageKeys(shortcuts: Shortcut[]): void {
  $effect(() => {
    keys.page = shortcuts
    return () => (keys.page = [])
  })
}
