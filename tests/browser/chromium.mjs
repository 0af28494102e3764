// chromium.mjs: Debian's Chromium, headless, driven by playwright-core; pages that complain fail their test.

import { chromium } from 'playwright-core';

const ARGUMENTS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
	'--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP *.example 127.0.0.1'];

export const executable = process.env.CHROMIUM || '/usr/bin/chromium';

export async function launch() {
	return chromium.launch({ executablePath: executable, args: ARGUMENTS, timeout: 30000 });
}

// A page whose complaints are kept in page.complaints. What `expected` matches is none: the network errors of a server that
// the test itself killed.
export async function openPage(browser, url, { expected = /^$/, ...options } = {}) {
	const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
	const page = await context.newPage();

	page.setDefaultTimeout(10000);
	page.complaints = [];
	const complain = (text) => expected.test(text) || page.complaints.push(text);
	page.on('console', (message) => ['error', 'warning'].includes(message.type()) && complain(message.text()));
	page.on('pageerror', (error) => complain(String(error)));
	await page.goto(url);
	return page;
}
