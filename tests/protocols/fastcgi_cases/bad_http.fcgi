raw: GET / HTTP/1.1\r\nHost: a\r\n\r\n
