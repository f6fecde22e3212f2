"""The addresses of the sandbox: the chat, its JSON, the controls, and the Graph API as Meta has it."""

from __future__ import annotations

from django.urls import path, re_path

from conversations.sandbox import chat, control, graph

urlpatterns = [
    path("", chat.page, name="chat"),
    path("chat/api/people", chat.people),
    path("chat/api/messages", chat.messages),
    path("chat/api/send", chat.send),
    path("chat/api/faults", chat.faults),
    path("chat/api/inside", chat.inside_of),
    path("sandbox/inbound", control.inbound),
    path("sandbox/sent", control.sent),
    path("sandbox/faults", control.faults),
    path("sandbox/counts", control.counts),
    path("health/live", control.alive),
    path("media/<str:key>", graph.media_content, name="media"),
    re_path(r"^v\d+\.\d+/debug_token$", graph.debug_token),
    re_path(r"^v\d+\.\d+/(?P<name>\d+)$", graph.node),
    re_path(r"^v\d+\.\d+/(?P<name>\d+)/messages$", graph.messages),
    re_path(r"^v\d+\.\d+/(?P<name>\d+)/subscribed_apps$", graph.subscribed_apps),
]
