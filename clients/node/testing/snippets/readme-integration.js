// The README's example, as people have it in their programs. Only the paths and the model come from outside.
const { spawn } = require('child_process');
const path = require('path');

// Path to DSU folder
const { DSU_DIR, EXE, INPUT, OUTPUT, MODEL } = process.env;

// Spawn persistent worker
const worker = spawn(
    path.join(DSU_DIR, EXE),
    ['--worker'],
    { cwd: DSU_DIR, stdio: ['pipe', 'pipe', 'pipe'] }
);

// Send JSON command
function sendCommand(cmd) {
    worker.stdin.write(JSON.stringify(cmd) + '\n');
}

// Handle responses
worker.stdout.on('data', (data) => {
    const lines = data.toString().trim().split('\n');
    for (const line of lines) {
        try {
            const response = JSON.parse(line);
            console.log('Status:', response.status);
            
            if (response.status === 'done') {
                console.log(`Separated in ${response.elapsed}s`);
                console.log('Output files:', response.files);
            }
        } catch (e) {
            // Non-JSON output (warnings, progress)
            console.log('[Worker]', line);
        }
    }
});

// Wait for ready, then separate
worker.stdout.once('data', () => {
    sendCommand({
        cmd: 'separate',
        input: INPUT,
        output: OUTPUT,
        model: MODEL
    });
});

// Graceful shutdown
process.on('SIGINT', () => {
    sendCommand({ cmd: 'exit' });
    setTimeout(() => worker.kill(), 1000);
});
