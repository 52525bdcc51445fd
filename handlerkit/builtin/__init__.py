"""The plugins that handlerkit brings along; they come in through everybody's door."""

BUILTINS = {
    "text-log": "handlerkit.builtin.text_log:TextLog",
    "environ": "handlerkit.builtin.environ:Environ",
    "request-id": "handlerkit.builtin.request_id:RequestId",
    "proxy-headers": "handlerkit.builtin.proxy_headers:ProxyHeaders",
    "trace-context": "handlerkit.builtin.trace_context:TraceContext",
    "error-page": "handlerkit.builtin.error_page:ErrorPage",
    "access-log": "handlerkit.builtin.access_log:AccessLog",
}
