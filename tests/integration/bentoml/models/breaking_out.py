"""A step of a model that tries what no model may."""


def break_out(rows):
    import ctypes
    import http.client
    import json
    import os
    import signal
    import socket
    import tempfile
    import threading
    from urllib.parse import urlsplit

    # In its own folder it finds what to try, by name: [what, argument]; there it tells what came of each.
    folder = tempfile.gettempdir()
    plan = os.path.join(folder, "attempts.json")
    if not os.path.exists(plan):
        return rows

    def read(path):
        if os.path.isdir(path):
            return len(os.listdir(path))
        with open(path, "rb") as file:
            return len(file.read(64))

    def write(path):
        with open(path, "ab") as file:
            file.write(b"x")

    def fill(size):
        path = os.path.join(folder, "filling")
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN) if threading.current_thread() is threading.main_thread() else None
        try:
            with open(path, "wb") as file:
                file.truncate(size)
        finally:
            os.unlink(path)

    def bomb(count):
        children = []
        try:
            for _ in range(count):
                child = os.fork()
                if child == 0:
                    # Where nothing bounds it, what it leaves ends by itself.
                    signal.alarm(60)
                    signal.pause()
                    os._exit(0)
                children.append(child)
        finally:
            for child in children:
                os.kill(child, signal.SIGKILL)
            for child in children:
                os.waitpid(child, 0)

    def listen(port):
        with socket.socket() as one:
            one.bind(("127.0.0.1", port))

    def connect(port):
        socket.create_connection(("127.0.0.1", port), timeout=5).close()

    def ask(address):
        place = urlsplit(address)
        connection = http.client.HTTPConnection(place.netloc, timeout=30)
        connection.request("GET", f"{place.path}?{place.query}")
        if connection.getresponse().status == 401:
            raise PermissionError("it asks for a password")

    def ask_socket(path):
        with socket.socket(socket.AF_UNIX) as one:
            one.connect(path)

    def send_datagram(port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.sendto(b"x", ("127.0.0.1", port))

    def call(number):
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syscall(number, 0, 0, 0, 0) < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    tries = {
        "read": read, "write": write, "fill": fill, "bomb": bomb, "listen": listen, "connect": connect,
        "ask": ask, "ask_socket": ask_socket, "send_datagram": send_datagram, "call": call,
        "signal": lambda pid: os.kill(pid, 0), "chmod": lambda path: os.chmod(path, 0o777),
        "become": lambda user: os.setuid(user), "environment": lambda name: os.environ[name],
    }
    came = {}
    with open(plan, encoding="utf-8") as file:
        for name, (what, argument) in json.load(file).items():
            try:
                tries[what](argument)
                came[name] = "done"
            except Exception as error:
                came[name] = type(error).__name__
    os.unlink(plan)
    with open(os.path.join(folder, "came.json.new"), "w", encoding="utf-8") as file:
        json.dump(came, file)
    os.replace(os.path.join(folder, "came.json.new"), os.path.join(folder, "came.json"))
    return rows
