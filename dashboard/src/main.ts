// Starts the dashboard.
import { mount } from 'svelte'
import App from './App.svelte'
import { keys } from './lib/keys.svelte'
import { live } from './lib/live.svelte'
import { router } from './lib/router.svelte'
import './styles/tokens.css'
import './styles/base.css'

router.listen()
keys.listen()
live.start()
const target = document.getElementById('app')
// What the page showed until now was there to be seen at once.
target?.replaceChildren()
if (target !== null) mount(App, { target })
