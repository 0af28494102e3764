// agree_python.mjs: boots servers for agree.py, and tells what it says.

import { spawn, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { lines } from './payloads.mjs';
import { report } from './rounds.mjs';
import { Server } from './server.mjs';
import { Failure, Tap, equal } from './tap.mjs';

// A python3 that comes first in PATH may be another than Debian's, which has the package.
const python = [process.env.PYTHON, 'python3', '/usr/bin/python3'].find((name) => name && spawnSync(name, ['-c', 'import websockets']).status === 0);
if (python === undefined) {
	console.log('1..0 # SKIP python3-websockets is not installed');
	process.exit(0);
}

const tap = new Tap({ script_ms: 280000 });
const servers = {
	default: await Server.boot({ ring_bytes: '256MiB' }),
	takeover: await Server.boot({ ring_bytes: '256MiB', compression: { takeover_bytes: '16MiB' } }),
};
const payloads = join(servers.default.directory, 'payloads');
writeFileSync(payloads, lines());

const child = spawn(python, [fileURLToPath(new URL('agree.py', import.meta.url))], { stdio: ['pipe', 'pipe', 'inherit'] });
process.on('exit', () => child.kill());
const ended = new Promise((resolve) => child.on('close', resolve));
const places = Object.entries(servers).map(([name, { port, socket }]) => [name, { port, socket_path: socket }]);
child.stdin.end(JSON.stringify({ payloads, servers: Object.fromEntries(places) }));
for await (const line of createInterface({ input: child.stdout })) {
	const said = JSON.parse(line);
	if (said.of === undefined)
		tap.result(said.name, said.fault === null ? null : new Failure(said.fault));
	else
		report(tap, said);
}
await tap.test('python_ends_well', async () => equal(await ended, 0, 'status'));
await tap.test('servers_leave_nothing', () => Promise.all(Object.values(servers).map((server) => server.stop())));
tap.end();
