// Applies the remembered theme before the first paint. A file of its own, since the policy allows no inline script.
try {
  const theme = localStorage.getItem('tasklane.theme')
  if (theme === '"light"' || theme === '"dark"') document.documentElement.dataset.theme = JSON.parse(theme)
} catch {
  // Without storage the system's theme holds.
}
