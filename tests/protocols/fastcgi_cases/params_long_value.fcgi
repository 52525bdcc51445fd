BEGIN_REQUEST 1: \0\1\1\0\0\0\0\0
PARAMS 1: {HTTP_COOKIE=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx}
PARAMS 1:
STDIN 1:
