require('http').createServer((request, response) => response.end(`by ${process.env.npm_lifecycle_event}\n`)).listen(3000);
process.on('SIGTERM', () => process.exit(0));
