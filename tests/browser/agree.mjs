// agree.mjs: Chromium exchanges the two hundred payloads, from a page of another origin: WebSocket, EventSource, fetch. TAP.

import { channelNames, publishPayloads, report } from '../clients/rounds.mjs';
import { COUNT, lines } from '../clients/payloads.mjs';
import { read } from '../clients/exchange.mjs';
import { Server } from '../clients/server.mjs';
import { Tap, equal } from '../clients/tap.mjs';
import { launch, openPage } from './chromium.mjs';
import { serve } from './pages.mjs';

const tap = new Tap({ script_ms: 280000 });
const payloads = read(lines());
const server = await Server.boot({ ring_bytes: '256MiB', compression: { poll: true } });
const keeping = await Server.boot({ ring_bytes: '256MiB', compression: { takeover_bytes: '16MiB', min_bytes: 0 } });
const site = await serve();
const browser = await launch();

// A page that is ready to exchange with the server: window.open, collect, publish.
async function openExchange(url, kit) {
	const page = await openPage(browser, `http://127.0.0.1:${site.port}/`);
	page.setDefaultTimeout(100000);
	await page.evaluate(async ([address, { name, all }]) => {
		const exchange = await import('/exchange.mjs');
		const kit = { name, fetch: (...args) => fetch(...args), webSocket: (...args) => (window.socket = new WebSocket(...args)) };
		if (all)
			Object.assign(kit, { polls: true, eventSource: (at) => new EventSource(at) });
		window.payloads = exchange.read(await (await fetch('/payloads')).text());
		window.open = async ([channel, after]) => {
			window.receivers = exchange.waysOf(kit).map((way) => exchange.receive(kit, way, address, channel, after));
			await Promise.all(window.receivers.map((receiver) => receiver.ready));
		};
		window.collect = async ([channel, ids]) => {
			const judgements = [];
			for (const receiver of window.receivers)
				judgements.push(await exchange.collect(receiver, channel, window.payloads, ids));
			return judgements;
		};
		window.publish = (channels) => exchange.publishAll(kit, address, window.payloads, () => channels.shift());
	}, [url, kit]);
	return page;
}

async function exchangeAll(to, kit) {
	const page = await openExchange(to.url, kit);
	const nameChannel = channelNames();
	const channel = nameChannel();
	const call = async (name, argument) => page.evaluate(([of, given]) => window[of](given), [name, argument]);
	const collect = async (ids) => (await call('collect', [channel, ids])).forEach((judgement) => report(tap, judgement));

	equal(await page.evaluate(() => window.payloads.length), COUNT, 'payloads');
	await call('open', [channel]);
	const ids = await publishPayloads(to, channel, payloads);
	await collect(ids);
	await call('open', [channel, 0]);
	await collect(ids);
	for (const judgement of await call('publish', Array.from({ length: 10 }, nameChannel)))
		report(tap, judgement);
	await tap.test(`${kit.name}_negotiates_and_does_not_complain`, async () => {
		equal(await page.evaluate(() => window.socket.extensions), kit.answer, 'extensions');
		equal(page.complaints, [], 'complaints');
	});
	await page.context().close();
}

await exchangeAll(server, { name: 'chromium', all: true, answer: 'permessage-deflate; server_no_context_takeover; client_no_context_takeover' });
await exchangeAll(keeping, { name: 'chromium_takeover', answer: 'permessage-deflate; server_no_context_takeover' });

await tap.test('servers_leave_nothing', async () => {
	await browser.close();
	site.close();
	await server.stop();
	await keeping.stop();
});
tap.end();
