// Theme and time zone: chosen here, remembered by the browser.
import { recall, remember } from './prefs'

export type Theme = 'system' | 'light' | 'dark'
export type Zone = 'local' | 'utc'

class Settings {
  #theme = $state<Theme>(recall<Theme>('theme', 'system'))
  #zone = $state<Zone>(recall<Zone>('zone', 'local'))

  get theme(): Theme {
    return this.#theme
  }

  set theme(theme: Theme) {
    this.#theme = theme
    remember('theme', theme)
    if (theme === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = theme
  }

  /** system → light → dark → system. */
  nextTheme(): void {
    this.theme = this.theme === 'system' ? 'light' : this.theme === 'light' ? 'dark' : 'system'
  }

  get zone(): Zone {
    return this.#zone
  }

  set zone(zone: Zone) {
    this.#zone = zone
    remember('zone', zone)
  }
}

export const settings = new Settings()
