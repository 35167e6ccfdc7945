def application(env, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"asked by uwsgi\n"]
