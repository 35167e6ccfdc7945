// A guest book in a file of the working directory, as small apps have it.
const fs = require('fs');
const http = require('http');

http.createServer((request, response) => {
  if (request.method === 'POST') fs.appendFileSync('book.txt', 'seen\n');
  response.end(fs.existsSync('book.txt') ? fs.readFileSync('book.txt') : 'empty\n');
}).listen(80);
process.on('SIGTERM', () => process.exit(0));
