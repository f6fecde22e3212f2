// The sandbox's JSON, asked for with Django's CSRF token.

function token() {
  // Read each time: signing in to the console on the same host gives the cookie a new value.
  const found = document.cookie.split("; ").find((part) => part.startsWith("csrftoken="));
  return found ? found.slice("csrftoken=".length) : "";
}

async function answer(response) {
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(body.problem || "The sandbox does not answer.");
  return body;
}

export async function ask(path, values = {}) {
  const query = new URLSearchParams(values);
  return answer(await fetch(`/chat/api/${path}?${query}`, { headers: { Accept: "application/json" } }));
}

export async function tell(path, body = {}) {
  return answer(
    await fetch(`/chat/api/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRFToken": token() },
      body: JSON.stringify(body),
    }),
  );
}
