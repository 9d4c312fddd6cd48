"""The PyPI package fer behind a server of one process, as its users have it; run by serve.py in fer's environment.

A photo comes as the only file of a form; the answer is JSON.
"""

from __future__ import annotations

import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what its libraries print is no address
    import cv2
    import numpy as np
    from fer.fer import FER

    detector, turn = FER(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            content = body[body.index(b"\r\n\r\n") + 4 :]
            image = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
            with turn:  # its model is one
                found = detector.detect_emotions(image)
            shown = [{"box": [int(edge) for edge in face["box"]], "emotions": face["emotions"]} for face in found]
            answer = json.dumps(shown, default=float).encode()
            self.send_response(200 if shown else 422)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 128

    with Server(("127.0.0.1", 0), Handler) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}/", file=answers, flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
