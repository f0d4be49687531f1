/** The plain HTTP requests beside the connection. Doesn't interpret the answers. */

function address(path: string): URL {
  return new URL(path, document.baseURI);
}

/** Whether the server refuses us. False where it can't be reached. */
export async function isRefused(): Promise<boolean> {
  try {
    const { status } = await fetch(address("api/config"));
    return status === 401 || status === 403;
  } catch {
    return false;
  }
}

/** The JSON schema of the params. Rejects where there is none. */
export async function fetchSchema(): Promise<unknown> {
  const response = await fetch(address("api/params/schema"));
  if (!response.ok) throw new Error(`${response.status} ${response.statusText}`);
  return response.json();
}

/** Ends a session at once: left alone, the server would keep its place for a while. */
export async function endSession(name: string): Promise<void> {
  await fetch(address(`api/sessions/${name}`), { method: "DELETE" });
}
