// Two hundred strings that would run `window.pwned = 1` (or close a tag, an attribute, a script) if they were ever more than text:
// each way of running something, in each place that it might be put into.

const RUN = 'window.pwned=1'

const WAYS = [
  `<script>${RUN}</script>`, `<img src=x onerror=${RUN}>`, `<svg onload=${RUN}>`, `<body onload=${RUN}>`, `<iframe src="javascript:${RUN}">`,
  `<a href="javascript:${RUN}">x</a>`, `<math><mtext><img src=x onerror=${RUN}></mtext></math>`, `<details open ontoggle=${RUN}>`, `<video><source onerror=${RUN}>`,
  `<input autofocus onfocus=${RUN}>`, `<object data="javascript:${RUN}">`, `<embed src="javascript:${RUN}">`, `<form action="javascript:${RUN}"><button>x`,
  `<template><script>${RUN}</script></template>`, `<style>@import "javascript:${RUN}";</style>`, `<link rel=stylesheet href="javascript:${RUN}">`,
  `<meta http-equiv=refresh content="0;url=javascript:${RUN}">`, `<base href="javascript:${RUN}//">`, `<noscript><p title="</noscript><img src=x onerror=${RUN}>">`,
  `<svg><animate onbegin=${RUN} attributeName=x dur=1s>`, `<svg><a xlink:href="javascript:${RUN}"><text>x</text></a></svg>`, `<marquee onstart=${RUN}>`, `<dialog open onclose=${RUN}>`,
  `{@html "<img src=x onerror=${RUN}>"}`, `{{constructor.constructor('${RUN}')()}}`, `\${${RUN}}`, `<%= ${RUN} %>`, `#{${RUN}}`, `javascript:${RUN}`, `data:text/html,<script>${RUN}</script>`,
]

const PLACES: ((way: string) => string)[] = [
  (way) => way,
  (way) => `">${way}`,
  (way) => `'>${way}`,
  (way) => `--></script></style></textarea></title>${way}`,
  (way) => way.toUpperCase().replace('WINDOW.PWNED', 'window.pwned'),
  (way) => way.replaceAll('<', '\u003c\u0000'),
  (way) => `\u2028${way}\u2029`,
]

export const CORPUS: string[] = PLACES.flatMap((place) => WAYS.map(place)).concat(['</', '<!--', ']]>', '&lt;script&gt;', '__proto__', 'constructor', '\ud83d\ude00', '\u202e\u2066'])
