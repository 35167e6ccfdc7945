// Uploads and a log, both below /app.
const fs = require('fs');
const path = require('path');
const express = require('express');
const morgan = require('morgan');
const multer = require('multer');

const app = express();
fs.mkdirSync(path.join(__dirname, 'logs'), { recursive: true });
app.use(morgan('combined', { stream: fs.createWriteStream(path.join(__dirname, 'logs/access.log'), { flags: 'a' }) }));
app.use('/uploads', express.static(path.join(__dirname, 'uploads')));
app.post('/', multer({ dest: 'uploads/' }).single('file'), (request, response) => response.redirect('/uploads/' + request.file.filename));
app.listen(3000);
process.on('SIGTERM', () => process.exit(0));
