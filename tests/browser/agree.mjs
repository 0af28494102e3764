// agree.mjs: Chromium exchanges the two hundred payloads, from a page of another origin: WebSocket, EventSource, fetch. TAP.

import { channelNames, publishPayloads, report } from '../clients/rounds.mjs';
import { COUNT, lines } from '../clients/payloads.mjs';
import { read } from '../clients/exchange.mjs';
import { Server } from '../clients/server.mjs';
import { Tap, equal } from '../clients/tap.mjs';
import { launch, openPage } from './chromium.mjs';
import { serve } from './pages.mjs';

const tap = new Tap();
const server = await Server.boot({ ring_bytes: '256MiB' });
const site = await serve();
const browser = await launch();
const page = await openPage(browser, `http://127.0.0.1:${site.port}/`);
const payloads = read(lines());

page.setDefaultTimeout(60000);
await page.evaluate(async (url) => {
	const exchange = await import('/exchange.mjs');
	const kit = {
		name: 'chromium',
		fetch: (...args) => fetch(...args),
		polls: true,
		webSocket: (...args) => new WebSocket(...args),
		eventSource: (address) => new EventSource(address),
	};
	const loaded = exchange.read(await (await fetch('/payloads')).text());
	window.count = loaded.length;
	window.open = async (channel, after) => {
		window.receivers = exchange.waysOf(kit).map((way) => exchange.receive(kit, way, url, channel, after));
		await Promise.all(window.receivers.map((receiver) => receiver.ready));
	};
	window.collect = async (channel, ids) => {
		const judgements = [];
		for (const receiver of window.receivers)
			judgements.push(await exchange.collect(receiver, channel, loaded, ids));
		return judgements;
	};
	window.publish = (channels) => exchange.publishAll(kit, url, loaded, () => channels.shift());
}, server.url);

await tap.test('page_has_the_payloads', async () => equal(await page.evaluate(() => window.count), COUNT, 'payloads'));

const nameChannel = channelNames();
const channel = nameChannel();
await page.evaluate((...args) => window.open(...args), channel);
const ids = await publishPayloads(server, channel, payloads);
const collect = ([of, all]) => window.collect(of, all);
for (const judgement of await page.evaluate(collect, [channel, ids]))
	report(tap, judgement);
await page.evaluate((of) => window.open(of, 0), channel);
for (const judgement of await page.evaluate(collect, [channel, ids]))
	report(tap, judgement);
const channels = Array.from({ length: 20 }, nameChannel);
for (const judgement of await page.evaluate((names) => window.publish(names), channels))
	report(tap, judgement);

await tap.test('page_does_not_complain', () => equal(page.complaints, [], 'complaints'));
await tap.test('server_leaves_nothing', async () => {
	await browser.close();
	site.close();
	await server.stop();
});
tap.end();
