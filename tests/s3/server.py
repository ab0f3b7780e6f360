#!/usr/bin/env python3
"""A small S3 server for tests: server.py FOLDER, with buckets as the folders in it.

It prints its address on 127.0.0.1 and serves until killed. It knows what mounts of S3 ask for:
path-style buckets, objects put whole or in parts, ranges, both kinds of listing, deletes of
one or many. Like S3 and unlike a folder, it shows an object only when all of it
has arrived, and has no folders without objects; though an empty object whose key ends in "/",
which some mounts make of a folder, is one. Signatures are not checked.

A file FOLDER/.full stands for a storage that is full: uploads are refused as long as it is
there.
"""
import hashlib
import http.server
import os
import re
import shutil
import sys
import threading
import time
import urllib.parse
import xml.etree.ElementTree as xml
from email.utils import formatdate

PAGE = 1000
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class Failure(Exception):
    def __init__(self, status, code):
        super().__init__(code)
        self.status, self.code = status, code


class Storage:
    """Objects as files: FOLDER/BUCKET/KEY. What S3 keeps beside the bytes is in memory."""

    def __init__(self, root):
        self.root = os.path.realpath(root)
        self.spool = os.path.join(self.root, ".spool")
        os.makedirs(self.spool, exist_ok=True)
        self.lock = threading.Lock()
        self.about = {}  # (bucket, key): (etag, {header: value})
        self.markers = {}  # of folders; (bucket, key): time
        self.uploads = {}  # id: (bucket, key, headers, {number: (path, etag)})

    def path(self, bucket, key=None):
        top = os.path.join(self.root, bucket)
        if bucket[:1] in ("", ".") or ".." in (key or "").split("/"):
            raise Failure(400, "InvalidURI")
        if not os.path.isdir(top):
            raise Failure(404, "NoSuchBucket")
        return os.path.join(top, key) if key else top

    def take(self, stream, size):
        """Spool a body; its path and MD5."""
        body = stream.read(size)
        if len(body) < size:
            raise Failure(400, "IncompleteBody")
        if os.path.exists(os.path.join(self.root, ".full")):
            raise Failure(403, "QuotaExceeded")
        path = os.path.join(self.spool, os.urandom(12).hex())
        with open(path, "wb") as out:
            out.write(body)
        return path, hashlib.md5(body).hexdigest()

    def publish(self, bucket, key, spooled, etag, headers):
        target = self.path(bucket, key)
        with self.lock:
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if key.endswith("/"):
                os.unlink(spooled)
                self.markers[bucket, key] = time.time()
            else:
                os.rename(spooled, target)
            self.about[bucket, key] = (etag, headers)

    def facts(self, bucket, key):
        """Path, size, time, etag, headers of an object."""
        path = self.path(bucket, key)
        with self.lock:
            if (bucket, key) in self.markers:
                return os.devnull, 0, self.markers[bucket, key], *self.about[bucket, key]
        if key.endswith("/") or not os.path.isfile(path):
            raise Failure(404, "NoSuchKey")
        stat = os.stat(path)
        with self.lock:
            known = self.about.get((bucket, key))
        if not known:
            with open(path, "rb") as f:
                known = (hashlib.md5(f.read()).hexdigest(), {})
            with self.lock:
                self.about[bucket, key] = known
        return path, stat.st_size, stat.st_mtime, *known

    def delete(self, bucket, key):
        path = self.path(bucket, key)
        with self.lock:
            self.about.pop((bucket, key), None)
            self.markers.pop((bucket, key), None)
            if os.path.isfile(path):
                os.unlink(path)
            above = os.path.dirname(path)
            while above != os.path.join(self.root, bucket):
                try:
                    os.rmdir(above)
                except OSError:
                    break
                above = os.path.dirname(above)

    def keys(self, bucket, prefix):
        """All keys with a prefix, in the order of their bytes."""
        top = self.path(bucket)
        with self.lock:
            found = [key for at, key in self.markers if at == bucket and key.startswith(prefix)]
        for folder, _, files in os.walk(os.path.join(top, os.path.dirname(prefix))):
            for name in files:
                key = os.path.relpath(os.path.join(folder, name), top)
                if key.startswith(prefix):
                    found.append(key)
        return sorted(found, key=os.fsencode)


def element(tag, *children, **texts):
    made = xml.Element(tag)
    for name, text in texts.items():
        xml.SubElement(made, name).text = str(text)
    made.extend(children)
    return made


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    storage = None

    def log_message(self, *_):
        pass

    def reply(self, status, body=None, headers=None, size=None):
        data = b""
        if body is not None:
            body.set("xmlns", NAMESPACE)
            data = xml.tostring(body, encoding="utf-8", xml_declaration=True)
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if data:
            self.send_header("Content-Type", "application/xml")
        if status != 204:
            self.send_header("Content-Length", str(len(data) if size is None else size))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def handle_request(self):
        url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        bucket, _, key = urllib.parse.unquote(url.path)[1:].partition("/")
        self.left = int(self.headers.get("Content-Length") or 0)
        try:
            self.act(bucket, key)
        except Failure as failure:
            # A body that was not read would be taken for the next request.
            self.close_connection = True
            self.reply(failure.status, element("Error", Code=failure.code))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = handle_request

    def act(self, bucket, key):
        kind = (self.command, bool(key))
        acts = {("GET", True): self.get, ("HEAD", True): self.get, ("PUT", True): self.put,
                ("DELETE", True): self.delete, ("GET", False): self.list_objects}
        if kind in acts:
            acts[kind](bucket, key)
        elif kind == ("POST", True) and "uploads" in self.query:
            self.begin_upload(bucket, key)
        elif kind == ("POST", True) and "uploadId" in self.query:
            self.end_upload(bucket, key)
        elif kind == ("POST", False) and "delete" in self.query:
            self.delete_many(bucket)
        else:
            raise Failure(501, "NotImplemented")

    def list_objects(self, bucket, _):
        q = self.query
        second = q.get("list-type") == "2"
        prefix, delimiter = q.get("prefix", ""), q.get("delimiter", "")
        after = q.get("continuation-token" if second else "marker", "")
        most = min(int(q.get("max-keys") or PAGE), PAGE)
        quote = urllib.parse.quote if q.get("encoding-type") == "url" else str
        items, last, more = [], "", False
        for key in self.storage.keys(bucket, prefix):
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            name = key if cut < 0 else key[:cut + len(delimiter)]
            if name == last or os.fsencode(name) <= os.fsencode(after):
                continue
            if len(items) == most:
                more = True
                break
            last = name
            if cut >= 0:
                items.append(element("CommonPrefixes", Prefix=quote(name)))
                continue
            try:
                _, size, when, etag, _ = self.storage.facts(bucket, key)
            except Failure:  # deleted meanwhile
                continue
            items.append(element("Contents", Key=quote(key), LastModified=stamp(when),
                                 ETag=f'"{etag}"', Size=size, StorageClass="STANDARD"))
        texts = {"Name": bucket, "Prefix": quote(prefix), "MaxKeys": most,
                 "IsTruncated": str(more).lower()}
        if more:
            texts["NextContinuationToken" if second else "NextMarker"] = last
        if q.get("encoding-type"):
            texts["EncodingType"] = "url"
        self.reply(200, element("ListBucketResult", *items, **texts))

    def get(self, bucket, key):
        path, size, when, etag, kept = self.storage.facts(bucket, key)
        headers = {"ETag": f'"{etag}"', "Last-Modified": formatdate(when, usegmt=True),
                   "Accept-Ranges": "bytes", **kept}
        first, end, status = 0, size, 200
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if asked:
            first, status = int(asked.group(1)), 206
            end = min(size, int(asked.group(2)) + 1) if asked.group(2) else size
            if first >= size:
                raise Failure(416, "InvalidRange")
            headers["Content-Range"] = f"bytes {first}-{end - 1}/{size}"
        with open(path, "rb") as source:
            self.reply(status, None, headers, end - first)
            if self.command == "GET":
                source.seek(first)
                self.wfile.write(source.read(end - first))

    def kept_headers(self):
        return {name: value for name, value in self.headers.items()
                if name.lower().startswith("x-amz-meta-") or name.lower() == "content-type"}

    def put(self, bucket, key):
        spooled, etag = self.storage.take(self.rfile, self.left)
        if "uploadId" in self.query:
            upload = self.storage.uploads.get(self.query["uploadId"])
            if not upload:
                raise Failure(404, "NoSuchUpload")
            upload[3][int(self.query["partNumber"])] = (spooled, etag)
        else:
            self.storage.publish(bucket, key, spooled, etag, self.kept_headers())
        self.reply(200, None, {"ETag": f'"{etag}"'})

    def delete(self, bucket, key):
        if "uploadId" in self.query:
            upload = self.storage.uploads.pop(self.query["uploadId"], None)
            for path, _ in upload[3].values() if upload else ():
                os.unlink(path)
        else:
            self.storage.delete(bucket, key)
        self.reply(204)

    def delete_many(self, bucket):
        asked = xml.fromstring(self.rfile.read(self.left))
        done = []
        for one in asked.iter():
            if one.tag.endswith("Key"):
                self.storage.delete(bucket, one.text)
                done.append(element("Deleted", Key=one.text))
        self.reply(200, element("DeleteResult", *done))

    def begin_upload(self, bucket, key):
        self.storage.path(bucket, key)
        name = os.urandom(12).hex()
        self.storage.uploads[name] = (bucket, key, self.kept_headers(), {})
        self.reply(200, element("InitiateMultipartUploadResult", Bucket=bucket, Key=key,
                                UploadId=name))

    def end_upload(self, bucket, key):
        asked = xml.fromstring(self.rfile.read(self.left))
        upload = self.storage.uploads.get(self.query["uploadId"])
        numbers = [int(n.text) for n in asked.iter() if n.tag.endswith("PartNumber")]
        if not upload or not set(numbers) <= set(upload[3]):
            raise Failure(400, "InvalidPart")
        first, *others = [upload[3][n] for n in numbers]
        etags = "".join(upload[3][n][1] for n in numbers)
        etag = f"{hashlib.md5(bytes.fromhex(etags)).hexdigest()}-{len(numbers)}"
        with open(first[0], "ab") as whole:
            for path, _ in others:
                with open(path, "rb") as part:
                    shutil.copyfileobj(part, whole)
                os.unlink(path)
        self.storage.publish(bucket, key, first[0], etag, upload[2])
        del self.storage.uploads[self.query["uploadId"]]
        self.reply(200, element("CompleteMultipartUploadResult", Bucket=bucket, Key=key,
                                ETag=f'"{etag}"'))


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


if __name__ == "__main__":
    Handler.storage = Storage(sys.argv[1])
    server = Server(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
