// Where one can go, and what one can do from anywhere: the navigation, the shortcuts and the palette share it.
import { router } from './router.svelte'
import { settings } from './settings.svelte'

export interface Place {
  path: string
  name: string
  icon: string
  key: string
}

export const PLACES: Place[] = [
  { path: '/', name: 'Overview', icon: 'overview', key: 'o' },
  { path: '/tasks', name: 'Tasks', icon: 'tasks', key: 't' },
  { path: '/dead-letters', name: 'Dead letters', icon: 'dead', key: 'd' },
  { path: '/workflows', name: 'Workflows', icon: 'workflow', key: 'w' },
  { path: '/modules', name: 'Modules', icon: 'modules', key: 'm' },
  { path: '/schedules', name: 'Schedules', icon: 'schedules', key: 's' },
  { path: '/queues', name: 'Queues', icon: 'queues', key: 'q' },
  { path: '/hosts', name: 'Hosts', icon: 'hosts', key: 'h' },
  { path: '/events', name: 'Events', icon: 'events', key: 'e' },
  { path: '/system', name: 'System', icon: 'system', key: 'y' },
]

export interface Command {
  name: string
  icon: string
  keys?: string
  run: () => void
}

export const COMMANDS: Command[] = [
  { name: 'Submit a task', icon: 'submit', keys: 'c', run: () => router.go('/submit') },
  ...PLACES.map((place) => ({
    name: `Go to ${place.name}`, icon: place.icon, keys: `g ${place.key}`, run: () => router.go(place.path),
  })),
  { name: 'Failed tasks', icon: 'tasks', run: () => router.go('/tasks?status=failed') },
  { name: 'Running tasks', icon: 'tasks', run: () => router.go('/tasks?status=running') },
  { name: 'Deploy a module', icon: 'upload', run: () => router.go('/modules?deploy=1') },
  { name: 'New schedule', icon: 'schedules', run: () => router.go('/schedules?new=1') },
  { name: 'Theme: follow the system', icon: 'auto', run: () => (settings.theme = 'system') },
  { name: 'Theme: light', icon: 'sun', run: () => (settings.theme = 'light') },
  { name: 'Theme: dark', icon: 'moon', run: () => (settings.theme = 'dark') },
  { name: 'Times in UTC', icon: 'clock', run: () => (settings.zone = 'utc') },
  { name: 'Times in the local zone', icon: 'clock', run: () => (settings.zone = 'local') },
  { name: 'API reference', icon: 'book', run: () => location.assign('/docs/') },
]

const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Whether a text is the id of a task or batch. */
export const isId = (text: string): boolean => ID.test(text.trim())
