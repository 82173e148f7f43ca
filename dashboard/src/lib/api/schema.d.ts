// Generated from docs/openapi.json by `npm run client`. Do not edit.
export interface paths {
    "/api/v1/access/whoami": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who asks, and what they may do. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description As the server sees it */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WhoAmI"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Nobody */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/audit": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Who did what: every change but submits, and what was refused for want of a role. */
        get: {
            parameters: {
                query?: {
                    /** @description Of this one */
                    namespace?: string;
                    /** @description Of this one, such as `token:tlk_0123456789abcdef` */
                    actor?: string;
                    /** @description Not before this time (RFC 3339) */
                    since?: string;
                    /** @description `next_cursor` of the page before */
                    cursor?: string;
                    /** @description 1 to 500, default 100 */
                    limit?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The newest first */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AuditList"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description A parameter is wrong */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/batches": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Batches, the newest first. */
        get: {
            parameters: {
                query?: {
                    /** @description Only those of this one */
                    namespace?: string;
                    /** @description `next_cursor` of the page before */
                    cursor?: string;
                    /** @description 1 to 50, default 20 */
                    limit?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A page, each with its tasks by state */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["BatchList"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description A parameter is wrong */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/batches/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How far a batch is. */
        get: {
            parameters: {
                query?: {
                    /** @description Only if it is one of this one */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Batch id */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Its tasks by state */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["BatchView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such batch */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/batches/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Cancel everything in a batch that has not ended. */
        post: {
            parameters: {
                query?: {
                    /** @description Only if it is one of this one */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Batch id */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Begun */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OperationView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such batch */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/batches/{id}/graph": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A batch as a graph with states. */
        get: {
            parameters: {
                query?: {
                    /** @description Only if it is one of this one */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Batch id */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Tasks and what waits for what */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["GraphView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such batch */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/batches/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Retry a workflow from where it failed.
         * @description A new batch with a new task for each that ended as failed, cancelled or expired; what succeeded is not run again, and its
         *     results are used.
         */
        post: {
            parameters: {
                query?: {
                    /** @description Only if it is one of this one */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Batch id */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The new batch */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["BatchAccepted"];
                    };
                };
                /** @description Nothing to retry */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such batch */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/blobs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Store bytes to be named by a task's `payload_blob`. The answer has their digest.
         * @description The body is streamed, and hashed on the way. The same content again is no error. What no task names is removed after an hour.
         */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/octet-stream": string;
                };
            };
            responses: {
                /** @description The same content was there before */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["BlobView"];
                    };
                };
                /** @description Stored */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["BlobView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not stored */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/blobs/{digest}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The bytes of one blob. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description `sha256:` and 64 hexadecimal digits */
                    digest: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The bytes */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/octet-stream": unknown;
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such blob */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        /** Store bytes whose digest is known. Other bytes are refused. */
        put: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description `sha256:` and 64 hexadecimal digits */
                    digest: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/octet-stream": string;
                };
            };
            responses: {
                /** @description The same content was there before */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["BlobView"];
                    };
                };
                /** @description Stored */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["BlobView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not stored */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/cluster/config": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The settings of the API process that answers, secrets left out. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description What was set, by key; docs/config.md has the defaults of the others */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ConfigView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/cluster/doctor": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the doctor finds on the machine of the API process that answers. Looked at anew at most every ten seconds. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Each check, with what to do about it */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["FindingList"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/cluster/info": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The cluster: leader, hosts, limits. What NATS would tell is empty while NATS is away. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The cluster */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ClusterInfo"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/cluster/reset": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Forget everything: tasks, modules, schedules. Only a development instance (`taskctl dev`) can, and it starts again at once. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ResetRequest"];
                };
            };
            responses: {
                /** @description It begins: the instance goes away and comes back empty */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not confirmed, or no development instance */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/cluster/secrets/reseal": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Seal every secret anew with the newest key, so that older keys can be taken out of the key file. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description All are sealed with it */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ResealView"];
                    };
                };
                /** @description The key of one is missing */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The server has no key for secrets */
                501: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/cluster/stats": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Tasks by state, and lanes that are not empty. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Counts */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ClusterStats"];
                    };
                };
                /** @description The database is away */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What changes, as it changes: `hello` first, `tasks` for changes, `resync` where some are gone, and for admins `audit` for each new
         *     entry of the audit log. Each event's id is a cursor.
         * @description Best effort: whoever must know reads the rows again.
         */
        get: {
            parameters: {
                query?: {
                    /** @description The id of the last event seen; the header `Last-Event-ID` comes first */
                    cursor?: string;
                    /** @description Only what is of this one */
                    namespace?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A stream that ends only with the process; the data of `tasks` */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "text/event-stream": components["schemas"]["FeedChange"];
                    };
                };
                /** @description Too many feeds are open */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The cursor cannot be read */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/events/ws": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * The events of `/api/v1/events` over a WebSocket: one JSON message each, `{"event": …, "cursor": …, "data": …}`.
         * @description Browsers are refused from pages of other origins.
         */
        get: {
            parameters: {
                query?: {
                    /** @description The cursor of the last message seen */
                    cursor?: string;
                    /** @description Only what is of this one */
                    namespace?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The connection is a WebSocket from now on */
                101: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Too many feeds are open */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No upgrade was asked for, the page is another's, or the cursor cannot be read */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/flow/modules": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What operators said of modules: each replaces the `flow` of the manifest. */
        get: {
            parameters: {
                query?: {
                    /** @description Only those of this one */
                    namespace?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The rules, by module */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ModuleFlowList"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/flow/modules/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What operators said of one module. */
        get: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: {
                    /** @description A tag that is known: 304 if it is still that */
                    "If-None-Match"?: string;
                };
                path: {
                    /** @description The module's name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The rule */
                200: {
                    headers: {
                        /** @description What it is now, less what moves by itself: for If-Match and If-None-Match */
                        ETag?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ModuleFlowView"];
                    };
                };
                /** @description It is as it was */
                304: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No rule */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        /** Limit how many tasks of a module run at once and how fast they start, whatever its manifest says. */
        put: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: {
                    /** @description Only if its ETag is this one, or `*`: only if it is there; else 412 */
                    "If-Match"?: string;
                    /** @description `*`: only if nothing is there; else 412 */
                    "If-None-Match"?: string;
                };
                path: {
                    /** @description The module's name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ModuleFlowRequest"];
                };
            };
            responses: {
                /** @description Set */
                200: {
                    headers: {
                        /** @description What it is now, less what moves by itself: for If-Match and If-None-Match */
                        ETag?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ModuleFlowView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not set */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        post?: never;
        /** Let the manifest's `flow` hold again. */
        delete: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: {
                    /** @description Only if its ETag is this one, or `*`: only if it is there; else 412 */
                    "If-Match"?: string;
                    /** @description `*`: only if nothing is there; else 412 */
                    "If-None-Match"?: string;
                };
                path: {
                    /** @description The module's name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Removed */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such rule */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/history": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** How many tasks ended in each second of late, as this process has heard. */
        get: {
            parameters: {
                query?: {
                    /** @description 1 to 900, default 300 */
                    seconds?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The seconds in which tasks ended */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["HistoryView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The parameter is wrong */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/hosts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The living hosts. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Their newest heartbeats */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["HostList"];
                    };
                };
                /** @description NATS is away */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/hosts/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Change how many guests a host runs at once, for as long as its process lives. */
        patch: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The host's id */
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["HostRequest"];
                };
            };
            responses: {
                /** @description It has so many slots */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["HostView"];
                    };
                };
                /** @description NATS or the host does not answer */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such host, or it cannot have so many */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/v1/hosts/{id}/drain": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Drain a host: it hands back what waits in it, finishes what runs, and takes nothing more until it is resumed. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The host's id */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It takes nothing more */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["HostView"];
                    };
                };
                /** @description No such host */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description NATS or the host does not answer */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/hosts/{id}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Let a drained host take work again. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The host's id */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It takes work */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["HostView"];
                    };
                };
                /** @description No such host */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description NATS or the host does not answer */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/kv": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The stores of a namespace that were ever written to. */
        get: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description By name */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["KvStoreList"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/kv/{store}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Keys of a store, by their bytes. */
        get: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                    /** @description How they begin */
                    prefix?: string;
                    /** @description Only those after this one: `next` of the page before */
                    after?: string;
                    /** @description 1 to 1000, default 100 */
                    limit?: number;
                };
                header?: never;
                path: {
                    /** @description `module:NAME` or `shared:NAME` */
                    store: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A page */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["KvKeyList"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such name */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/kv/{store}/{key}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One value. */
        get: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: {
                    /** @description A tag that is known: 304 if it is still that */
                    "If-None-Match"?: string;
                };
                path: {
                    /** @description `module:NAME` or `shared:NAME` */
                    store: string;
                    /** @description The key, percent-encoded */
                    key: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The value */
                200: {
                    headers: {
                        /** @description What it is now, less what moves by itself: for If-Match and If-None-Match */
                        ETag?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["KvEntryView"];
                    };
                };
                /** @description It is as it was */
                304: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such key */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        /** Set a value, whatever it was before. */
        put: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: {
                    /** @description Only if its ETag is this one, or `*`: only if it is there; else 412 */
                    "If-Match"?: string;
                    /** @description `*`: only if nothing is there; else 412 */
                    "If-None-Match"?: string;
                };
                path: {
                    /** @description `module:NAME` or `shared:NAME` */
                    store: string;
                    /** @description The key, percent-encoded */
                    key: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["KvRequest"];
                };
            };
            responses: {
                /** @description As it is now */
                200: {
                    headers: {
                        /** @description What it is now, less what moves by itself: for If-Match and If-None-Match */
                        ETag?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["KvEntryView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not set */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        post?: never;
        /** Delete a key. */
        delete: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: {
                    /** @description Only if its ETag is this one, or `*`: only if it is there; else 412 */
                    "If-Match"?: string;
                    /** @description `*`: only if nothing is there; else 412 */
                    "If-None-Match"?: string;
                };
                path: {
                    /** @description `module:NAME` or `shared:NAME` */
                    store: string;
                    /** @description The key, percent-encoded */
                    key: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Deleted */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such key */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/modules": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Every deployed version. */
        get: {
            parameters: {
                query?: {
                    /** @description Only those of this one */
                    namespace?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description By name, the newest version first */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ModuleList"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /**
         * Deploy a version: `multipart/form-data` with the parts `manifest` (JSON) and `module` (the .wasm file), and `assets` (a tar of
         *     plain files) where the manifest has `[assets]`. Without `manifest`, the manifest that the module carries in its custom section
         *     `tasklane:manifest` is taken.
         * @description The bytes are looked at before anything is stored. The same content again is no error.
         */
        post: {
            parameters: {
                query?: {
                    /** @description Who owns it; `default` if left out */
                    namespace?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "multipart/form-data": string;
                };
            };
            responses: {
                /** @description The same content was deployed before */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ModuleView"];
                    };
                };
                /** @description Deployed */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ModuleView"];
                    };
                };
                /** @description Other content is deployed under this version */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not a module that can run here */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/modules/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The versions of one module. */
        get: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description The module's name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The newest version first */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ModuleList"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such module */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/modules/{name}/aliases": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A module's aliases. */
        get: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description The module's name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description By name */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AliasList"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such module */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/modules/{name}/aliases/{alias}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Where one alias leads. */
        get: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: {
                    /** @description A tag that is known: 304 if it is still that */
                    "If-None-Match"?: string;
                };
                path: {
                    /** @description The module */
                    name: string;
                    /** @description The alias */
                    alias: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The alias */
                200: {
                    headers: {
                        /** @description What it is now, less what moves by itself: for If-Match and If-None-Match */
                        ETag?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AliasView"];
                    };
                };
                /** @description It is as it was */
                304: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such alias */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        /** Let an alias lead to one version, or to several by weight; it is made if it is not there. */
        put: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: {
                    /** @description Only if its ETag is this one, or `*`: only if it is there; else 412 */
                    "If-Match"?: string;
                    /** @description `*`: only if nothing is there; else 412 */
                    "If-None-Match"?: string;
                };
                path: {
                    /** @description The module */
                    name: string;
                    /** @description The alias */
                    alias: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["AliasRequest"];
                };
            };
            responses: {
                /** @description It leads there from now on */
                200: {
                    headers: {
                        /** @description What it is now, less what moves by itself: for If-Match and If-None-Match */
                        ETag?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AliasView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not changed */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        post?: never;
        /** Remove an alias. `latest` is the newest version again. */
        delete: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: {
                    /** @description Only if its ETag is this one, or `*`: only if it is there; else 412 */
                    "If-Match"?: string;
                    /** @description `*`: only if nothing is there; else 412 */
                    "If-None-Match"?: string;
                };
                path: {
                    /** @description The module */
                    name: string;
                    /** @description The alias */
                    alias: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Removed */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such alias */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/modules/{name}/aliases/{alias}/promote": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Give one version all tasks of an alias. */
        post: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description The module */
                    name: string;
                    /** @description The alias */
                    alias: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["PromoteRequest"];
                };
            };
            responses: {
                /** @description It has all of them from now on */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AliasView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not changed */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/modules/{name}/aliases/{alias}/rollback": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Let an alias lead where it led before its last change. Another rollback leads back again. */
        post: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description The module */
                    name: string;
                    /** @description The alias */
                    alias: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It leads there from now on */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AliasView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not changed */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/modules/{name}/diff": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What differs between two versions: imports, exports, permissions, the rest of the manifest, size. */
        get: {
            parameters: {
                query: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                    /** @description The first version */
                    from: string;
                    /** @description The second version */
                    to: string;
                };
                header?: never;
                path: {
                    /** @description The module */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The difference */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ModuleDiff"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such version */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/modules/{name}/events": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What was done to a module: deploys, aliases, switches, removals. */
        get: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description The module's name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The newest first */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ModuleEventList"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not a name */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/modules/{name}/{version}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One version. */
        get: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description The module's name */
                    name: string;
                    /** @description Its version */
                    version: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The version */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ModuleView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such version */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /** Remove a version that nothing needs any more; with `force=true`, also one that something needs, which is written down. */
        delete: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                    /** @description Although something refers to it. Default: false */
                    force?: boolean;
                };
                header?: never;
                path: {
                    /** @description The module */
                    name: string;
                    /** @description The version */
                    version: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Removed */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something needs it */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such version */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/modules/{name}/{version}/disable": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Take no new tasks of a version. Those that were submitted run; aliases pass it over. */
        post: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description The module */
                    name: string;
                    /** @description The version */
                    version: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It is off */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ModuleView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such version */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/modules/{name}/{version}/enable": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Take new tasks of a version again. */
        post: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description The module */
                    name: string;
                    /** @description The version */
                    version: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It is on */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ModuleView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such version */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/modules/{name}/{version}/release": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Let a quarantined version run again, under every version that has the same bytes. Twice is no error. */
        post: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description The module */
                    name: string;
                    /** @description The version */
                    version: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It may run */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ModuleView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such version */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/namespaces": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Every namespace that has anything or a quota, and `default`. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description By name, with what each has */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["NamespaceList"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/namespaces/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One namespace. */
        get: {
            parameters: {
                query?: never;
                header?: {
                    /** @description A tag that is known: 304 if it is still that */
                    "If-None-Match"?: string;
                };
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Its quotas, and what it has */
                200: {
                    headers: {
                        /** @description What it is now, less what moves by itself: for If-Match and If-None-Match */
                        ETag?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["NamespaceView"];
                    };
                };
                /** @description It is as it was */
                304: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description It has nothing */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        /** Set the quotas of a namespace; they replace those before. What it has already stays. */
        put: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Only if its ETag is this one, or `*`: only if it is there; else 412 */
                    "If-Match"?: string;
                    /** @description `*`: only if nothing is there; else 412 */
                    "If-None-Match"?: string;
                };
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["QuotasBody"];
                };
            };
            responses: {
                /** @description Set */
                200: {
                    headers: {
                        /** @description What it is now, less what moves by itself: for If-Match and If-None-Match */
                        ETag?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["NamespaceView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not set */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        post?: never;
        /** Unset the quotas of a namespace: the cluster's limits alone hold. What it has stays. */
        delete: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Only if its ETag is this one, or `*`: only if it is there; else 412 */
                    "If-Match"?: string;
                    /** @description `*`: only if nothing is there; else 412 */
                    "If-None-Match"?: string;
                };
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Unset */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description It has no quota */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The newest bulk operations. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description At most 100, the newest first */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OperationList"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/operations/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One bulk operation. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Operation id */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description How far it is */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OperationView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such operation */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/queues": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Every queue that has tasks or a rule, and `default`. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The queues */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["QueueList"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/queues/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One queue. A queue is there as soon as somebody names it. */
        get: {
            parameters: {
                query?: never;
                header?: {
                    /** @description A tag that is known: 304 if it is still that */
                    "If-None-Match"?: string;
                };
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The queue */
                200: {
                    headers: {
                        /** @description What it is now, less what moves by itself: for If-Match and If-None-Match */
                        ETag?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["QueueView"];
                    };
                };
                /** @description It is as it was */
                304: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not a name */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        /** Change a queue. What is not named stays. */
        patch: {
            parameters: {
                query?: never;
                header?: {
                    /** @description Only if its ETag is this one, or `*`: only if it is there; else 412 */
                    "If-Match"?: string;
                    /** @description `*`: only if nothing is there; else 412 */
                    "If-None-Match"?: string;
                };
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["QueueRequest"];
                };
            };
            responses: {
                /** @description Changed */
                200: {
                    headers: {
                        /** @description What it is now, less what moves by itself: for If-Match and If-None-Match */
                        ETag?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["QueueView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not changed */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/v1/queues/{name}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Pause a queue: nothing more of it starts. What runs goes on, what is submitted waits. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Paused */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["QueueView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not paused */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/queues/{name}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Let a paused queue go on. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It goes on */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["QueueView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not changed */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retention": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Every rule of retention, and what holds without them. */
        get: {
            parameters: {
                query?: {
                    /** @description Of modules only those of this one */
                    namespace?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The rules */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RetentionView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retention/default": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Set the default rule: of all tasks for which no other rule says anything. It replaces the one before. */
        put: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["RetentionRule"];
                };
            };
            responses: {
                /** @description The rule as it is now */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RetentionRule"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not set */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        post?: never;
        /** Unset the default rule: the server's settings hold again. */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Unset */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description It was not set */
                404: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retention/modules/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Set the rule of a module, which comes before those of queues. It replaces the one before. The module need not be deployed. */
        put: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description The module's name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["RetentionRule"];
                };
            };
            responses: {
                /** @description The rule as it is now */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RetentionRule"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not set */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        post?: never;
        /** Unset the rule of a module. */
        delete: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description The module's name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Unset */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description It was not set */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/retention/queues/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Set the rule of a queue, which comes before the default rule. It replaces the one before. */
        put: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The queue's name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["RetentionRule"];
                };
            };
            responses: {
                /** @description The rule as it is now */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["RetentionRule"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not set */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        post?: never;
        /** Unset the rule of a queue. */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description The queue's name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Unset */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description It was not set */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/schedules": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** All schedules, by name. */
        get: {
            parameters: {
                query?: {
                    /** @description Only those of this one */
                    namespace?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The schedules */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ScheduleList"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Make a schedule. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ScheduleRequest"];
                };
            };
            responses: {
                /** @description Made */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ScheduleView"];
                    };
                };
                /** @description The name is taken */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not made */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/schedules/preview": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Explain an expression: in words, and with its next runs. Stores nothing. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["PreviewRequest"];
                };
            };
            responses: {
                /** @description What it means */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["NextRuns"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description It cannot be read */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/schedules/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One schedule with its newest instants. */
        get: {
            parameters: {
                query?: {
                    /** @description Only if it is one of this one */
                    namespace?: string;
                };
                header?: {
                    /** @description A tag that is known: 304 if it is still that */
                    "If-None-Match"?: string;
                };
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The schedule */
                200: {
                    headers: {
                        /** @description What it is now, less what moves by itself: for If-Match and If-None-Match */
                        ETag?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ScheduleView"];
                    };
                };
                /** @description It is as it was */
                304: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such schedule */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /** Delete a schedule. Tasks that it has submitted go on. */
        delete: {
            parameters: {
                query?: {
                    /** @description Only if it is one of this one */
                    namespace?: string;
                };
                header?: {
                    /** @description Only if its ETag is this one, or `*`: only if it is there; else 412 */
                    "If-Match"?: string;
                    /** @description `*`: only if nothing is there; else 412 */
                    "If-None-Match"?: string;
                };
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Deleted */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such schedule */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        /** Change a schedule: what is not named stays, and so does what it has done. Checked as a new one is. */
        patch: {
            parameters: {
                query?: {
                    /** @description Only if it is one of this one */
                    namespace?: string;
                };
                header?: {
                    /** @description Only if its ETag is this one, or `*`: only if it is there; else 412 */
                    "If-Match"?: string;
                    /** @description `*`: only if nothing is there; else 412 */
                    "If-None-Match"?: string;
                };
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["ScheduleChange"];
                };
            };
            responses: {
                /** @description Changed */
                200: {
                    headers: {
                        /** @description What it is now, less what moves by itself: for If-Match and If-None-Match */
                        ETag?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ScheduleView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not changed */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        trace?: never;
    };
    "/api/v1/schedules/{name}/next": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The next runs of a schedule. */
        get: {
            parameters: {
                query?: {
                    /** @description Only if it is one of this one */
                    namespace?: string;
                    /** @description 1 to 100, default 5 */
                    count?: number;
                };
                header?: never;
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description As its zone's clock will show */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["NextRuns"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such schedule */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/schedules/{name}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Pause a schedule: its instants pass without a task until it is resumed. */
        post: {
            parameters: {
                query?: {
                    /** @description Only if it is one of this one */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Paused */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ScheduleView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such schedule */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/schedules/{name}/payload": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The payload that a schedule submits, as it was given. */
        get: {
            parameters: {
                query?: {
                    /** @description Only if it is one of this one */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description JSON, text or bytes, by its Content-Type */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such schedule */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/schedules/{name}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Resume a schedule from now on: what passed while it was paused does not count as missed. */
        post: {
            parameters: {
                query?: {
                    /** @description Only if it is one of this one */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Active */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["ScheduleView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such schedule */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/schedules/{name}/run-now": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Submit the schedule's task now, whatever the time, also while it is paused. */
        post: {
            parameters: {
                query?: {
                    /** @description Only if it is one of this one */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The task */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskAccepted"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such schedule */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/secrets": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The secrets of a namespace: names and times, no values. */
        get: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description By name */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["SecretList"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/secrets/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        /** Set a secret's value, whatever it was before. It is sealed before it is stored, and never given back over HTTP. */
        put: {
            parameters: {
                query?: {
                    /** @description Whose tasks may have it; `default` if left out */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description The secret's name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["SecretRequest"];
                };
            };
            responses: {
                /** @description Set */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["SecretView"];
                    };
                };
                /** @description The server has no key for secrets */
                501: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not set */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        post?: never;
        /** Remove a secret. Attempts that asked for it before may go on with its value. */
        delete: {
            parameters: {
                query?: {
                    /** @description Whose; `default` if left out */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description The secret's name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Removed */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such secret */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Tasks that match every filter. */
        get: {
            parameters: {
                query?: {
                    /** @description A state */
                    status?: string;
                    /** @description A module's name */
                    module?: string;
                    /** @description A queue */
                    queue?: string;
                    /** @description `key:value` */
                    label?: string;
                    /** @description A namespace */
                    namespace?: string;
                    /** @description A batch's id */
                    batch?: string;
                    /** @description The id of the task whose guest enqueued them */
                    parent?: string;
                    /** @description `next_cursor` of the page before */
                    cursor?: string;
                    /** @description 1 to 200, default 50 */
                    limit?: number;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A page, newest first */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskList"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description A parameter is wrong */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /**
         * Submit one task.
         * @description Answers 202 after the task is committed. With `?wait=30s` it answers 200 with the ended task and its result if that is done
         *     in time, else 202.
         */
        post: {
            parameters: {
                query?: {
                    /** @description Wait for the end, such as `30s` or `500ms`; at most 60 s */
                    wait?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["SubmitRequest"];
                };
            };
            responses: {
                /** @description Ended in time */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskView"];
                    };
                };
                /** @description Accepted and committed */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskAccepted"];
                    };
                };
                /** @description The database is away */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not accepted */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/batch": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Submit up to 20,000 tasks, all or none. They may wait for each other (`name`, `after`). */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["BatchRequest"];
                };
            };
            responses: {
                /** @description All accepted and committed */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["BatchAccepted"];
                    };
                };
                /** @description The database is away */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description None accepted */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Cancel all tasks that match and have not ended. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["BulkRequest"];
                };
            };
            responses: {
                /** @description Begun */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OperationView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The filter is wrong */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Submit anew all tasks that match and failed (or ended as `status` says). */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["BulkRequest"];
                };
            };
            responses: {
                /** @description Begun */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["OperationView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description The filter is wrong */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/status/{status}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Tasks in one state. */
        get: {
            parameters: {
                query?: {
                    /** @description A module's name */
                    module?: string;
                    /** @description A queue */
                    queue?: string;
                    /** @description `key:value` */
                    label?: string;
                    /** @description A namespace */
                    namespace?: string;
                    /** @description A batch's id */
                    batch?: string;
                    /** @description The id of the task whose guest enqueued them */
                    parent?: string;
                    /** @description `next_cursor` of the page before */
                    cursor?: string;
                    /** @description 1 to 200, default 50 */
                    limit?: number;
                };
                header?: never;
                path: {
                    /** @description A state */
                    status: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A page, newest first */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskList"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such state, or a parameter is wrong */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One task. */
        get: {
            parameters: {
                query?: {
                    /** @description Only if it is one of this one */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Task id */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The task */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such task */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{id}/attempts": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The ended attempts, the first one first, each with the end of what it said. */
        get: {
            parameters: {
                query?: {
                    /** @description Only if it is one of this one */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Task id */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The attempts */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["AttemptList"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such task */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{id}/cancel": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /**
         * Cancel a task that has not ended. The row is final at once; a running guest is stopped by its host.
         * @description With `?tree=true` everything that descends from it is cancelled too, by a bulk operation that the answer names; then the task
         *     itself may have ended already.
         */
        post: {
            parameters: {
                query?: {
                    /** @description Only if it is one of this one */
                    namespace?: string;
                    /** @description Cancel its descendants too */
                    tree?: boolean;
                };
                header?: never;
                path: {
                    /** @description Task id */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Cancelled */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskView"];
                    };
                };
                /** @description It has ended already */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such task */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{id}/logs": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the guest said: JSON, or plain text with `Accept: text/plain`. */
        get: {
            parameters: {
                query?: {
                    /** @description Only if it is one of this one */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Task id */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The newest ended attempt's log */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["LogView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such task */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{id}/logs/live": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /**
         * What a guest has said behind a place in its log, also while it runs.
         * @description Without `after`, everything of the newest attempt that ended, or of the one that runs. A request answers at once: who follows a
         *     log asks again with the `cursor` of the answer until `ended` is true.
         */
        get: {
            parameters: {
                query?: {
                    /** @description `cursor` of the answer before */
                    after?: string;
                    /** @description Only if it is one of this one */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Task id */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The lines that followed */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["LiveLogView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such task, or the cursor cannot be read */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{id}/payload": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the guest is given, as it was submitted, with the results of others where they were bound. */
        get: {
            parameters: {
                query?: {
                    /** @description Only if it is one of this one */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Task id */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The bytes; the content type is the form in which they were given */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such task */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{id}/reschedule": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Move the time of a scheduled or retrying task. */
        post: {
            parameters: {
                query?: {
                    /** @description Only if it is one of this one */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Task id */
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["RescheduleRequest"];
                };
            };
            responses: {
                /** @description The task with its new time */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskView"];
                    };
                };
                /** @description It does not wait for a time */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such task, or no time */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{id}/result": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** What the guest returned, as it returned it. */
        get: {
            parameters: {
                query?: {
                    /** @description Only if it is one of this one */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Task id */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The bytes; the content type is what they look like */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Not ended, or ended without a result */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such task */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tasks/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Submit an ended task anew: a new task with the same payload, which names this one as its origin. */
        post: {
            parameters: {
                query?: {
                    /** @description Only if it is one of this one */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Task id */
                    id: string;
                };
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["RetryRequest"];
                };
            };
            responses: {
                /** @description The new task */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TaskAccepted"];
                    };
                };
                /** @description It has not ended, or succeeded */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such task */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Every token whose roles the caller could give away. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The newest first */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TokenList"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not shown */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Make a token. Its text is in the answer, and never again. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["TokenRequest"];
                };
            };
            responses: {
                /** @description Made; `token` is shown this once */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["TokenView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not made */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/tokens/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        post?: never;
        /** Revoke a token: within two seconds it opens nothing, in any API process. It stays in the list. */
        delete: {
            parameters: {
                query?: never;
                header?: never;
                path: {
                    /** @description `tlk_` and 16 hexadecimal digits */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Revoked, now or before */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such token */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhooks": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** All webhooks, by name. */
        get: {
            parameters: {
                query?: {
                    /** @description Only those that are told of this one alone */
                    namespace?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The webhooks */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebhookList"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        /** Make a webhook. The answer is the only one, beside that of `rotate`, that shows its secret. */
        post: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody: {
                content: {
                    "application/json": components["schemas"]["WebhookRequest"];
                };
            };
            responses: {
                /** @description Made, with its secret */
                201: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebhookView"];
                    };
                };
                /** @description The name is taken */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Not made */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhooks/{name}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One webhook. */
        get: {
            parameters: {
                query?: {
                    /** @description Only if it is told of this one alone */
                    namespace?: string;
                };
                header?: {
                    /** @description A tag that is known: 304 if it is still that */
                    "If-None-Match"?: string;
                };
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The webhook */
                200: {
                    headers: {
                        /** @description What it is now, less what moves by itself: for If-Match and If-None-Match */
                        ETag?: string;
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebhookView"];
                    };
                };
                /** @description It is as it was */
                304: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such webhook */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        /** Delete a webhook with its deliveries, also those that wait. */
        delete: {
            parameters: {
                query?: {
                    /** @description Only if it is told of this one alone */
                    namespace?: string;
                };
                header?: {
                    /** @description Only if its ETag is this one, or `*`: only if it is there; else 412 */
                    "If-Match"?: string;
                    /** @description `*`: only if nothing is there; else 412 */
                    "If-None-Match"?: string;
                };
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Deleted */
                204: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such webhook */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhooks/{name}/deliveries": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** A webhook's deliveries, those of the newest tasks first. With `state=dead`: its dead letters. */
        get: {
            parameters: {
                query?: {
                    /** @description Only if it is told of this one alone */
                    namespace?: string;
                    /** @description waiting, delivered or dead */
                    state?: string;
                    /** @description 1 to 200, default 50 */
                    limit?: number;
                    /** @description `next` of the page before */
                    before?: string;
                };
                header?: never;
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description A page */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DeliveryList"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such webhook */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhooks/{name}/deliveries/{id}": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** One delivery. */
        get: {
            parameters: {
                query?: {
                    /** @description Only if it is told of this one alone */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Its name */
                    name: string;
                    /** @description The event's id */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The delivery */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DeliveryView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such delivery */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhooks/{name}/deliveries/{id}/retry": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Send a dead letter, or a delivery that waits, again: now, with all its attempts before it. */
        post: {
            parameters: {
                query?: {
                    /** @description Only if it is told of this one alone */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Its name */
                    name: string;
                    /** @description The event's id */
                    id: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It waits to be sent */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DeliveryView"];
                    };
                };
                /** @description It was delivered */
                409: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such delivery */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhooks/{name}/pause": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Pause a webhook: what ends meanwhile is not told, what waits is kept. */
        post: {
            parameters: {
                query?: {
                    /** @description Only if it is told of this one alone */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Paused */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebhookView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such webhook */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhooks/{name}/resume": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Resume a webhook: what waits is sent, and what ends from now on is told. */
        post: {
            parameters: {
                query?: {
                    /** @description Only if it is told of this one alone */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Active */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebhookView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such webhook */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhooks/{name}/rotate": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Give a webhook another secret. For 24 hours events are signed with both. */
        post: {
            parameters: {
                query?: {
                    /** @description Only if it is told of this one alone */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description With the new secret */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["WebhookView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such webhook */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/api/v1/webhooks/{name}/test": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        get?: never;
        put?: never;
        /** Send a test event, whatever the webhook asks for. */
        post: {
            parameters: {
                query?: {
                    /** @description Only if it is told of this one alone */
                    namespace?: string;
                };
                header?: never;
                path: {
                    /** @description Its name */
                    name: string;
                };
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The delivery, which waits to be sent */
                202: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["DeliveryView"];
                    };
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description No such webhook */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/health": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The same as `/readyz?verbose`. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Ready */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["HealthView"];
                    };
                };
                /** @description Not ready */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["HealthView"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/livez": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** The process runs. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description It runs */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/metrics": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Prometheus' text format. */
        get: {
            parameters: {
                query?: never;
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description The metrics */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content?: never;
                };
                /** @description Something that it needs is away; try again */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
    "/readyz": {
        parameters: {
            query?: never;
            header?: never;
            path?: never;
            cookie?: never;
        };
        /** Tasks can be accepted. `?verbose` tells each check. */
        get: {
            parameters: {
                query?: {
                    /** @description Tell each check */
                    verbose?: string;
                };
                header?: never;
                path?: never;
                cookie?: never;
            };
            requestBody?: never;
            responses: {
                /** @description Ready */
                200: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["HealthView"];
                    };
                };
                /** @description Not ready */
                503: {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/json": components["schemas"]["HealthView"];
                    };
                };
                /** @description Refused: its code says why */
                "4XX": {
                    headers: {
                        [name: string]: unknown;
                    };
                    content: {
                        "application/problem+json": components["schemas"]["Problem"];
                    };
                };
            };
        };
        put?: never;
        post?: never;
        delete?: never;
        options?: never;
        head?: never;
        patch?: never;
        trace?: never;
    };
}
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description A module's aliases. */
        AliasList: {
            /** @description By name. */
            aliases: components["schemas"]["AliasView"][];
        };
        /** @description Where an alias leads. */
        AliasRequest: {
            /** @description 1 to 8 versions. */
            routes: components["schemas"]["RouteBody"][];
        };
        /** @description An alias. */
        AliasView: {
            /** @description Its name. */
            alias: string;
            /**
             * Format: date-time
             * @description Its last change.
             */
            changed_at: string;
            /** @description Where a rollback would lead; empty if it led nowhere else before. */
            previous?: components["schemas"]["RouteBody"][];
            /** @description Where it leads. */
            routes: components["schemas"]["RouteBody"][];
        };
        /** @description The ended attempts of a task, the first one first. */
        AttemptList: {
            /** @description The attempts. */
            attempts: components["schemas"]["AttemptView"][];
        };
        /** @description An ended attempt. */
        AttemptView: {
            /**
             * Format: int32
             * @description Which.
             */
            attempt: number;
            /**
             * Format: date-time
             * @description When it was over.
             */
            ended_at?: string | null;
            /** @description Where it ran. */
            host?: string | null;
            /** @description The end of what it said: at most 20 lines. */
            log_tail?: Record<string, never>[];
            /** @description What it came to. */
            outcome: Record<string, never>;
            /**
             * Format: date-time
             * @description When the host took it into a slot.
             */
            started_at?: string | null;
            /** @description What it used. */
            usage: Record<string, never>;
        };
        /** @description A page of the audit log, the newest first. */
        AuditList: {
            /** @description At most 500. */
            entries: components["schemas"]["AuditView"][];
            /** @description For the next page; left out on the last. */
            next_cursor?: string | null;
        };
        /** @description Who did what to which thing from where. */
        AuditView: {
            /**
             * @description What: a method and a path's pattern.
             * @example POST /api/v1/tasks/{id}/cancel
             */
            action: string;
            /** @description Who: `token:tlk_…`, `jwt:ISSUER|SUBJECT`, `anonymous`, or `operator` for what was done at the database. */
            actor: string;
            /**
             * Format: date-time
             * @description When it was answered.
             */
            at: string;
            /** @description What people call them. */
            name: string;
            /** @description Whose it is; left out where it is the cluster's, or of several. */
            namespace?: string | null;
            /** @description The request's id. */
            request_id: string;
            /**
             * Format: int64
             * @description Rises; some numbers may be left out.
             */
            seq: number;
            /** @description From which address. */
            source?: string | null;
            /**
             * Format: int32
             * @description The status that it was answered with.
             */
            status: number;
            /** @description To which thing: its path. */
            target: string;
        };
        /** @description The answer to an accepted batch, in the order of the request. */
        BatchAccepted: {
            /** @description The batch's id. */
            batch?: string;
            /** @description One for each task; that of `on_complete` is the last. */
            tasks: components["schemas"]["TaskAccepted"][];
        };
        /** @description A page of batches. */
        BatchList: {
            /** @description The newest first. */
            batches: components["schemas"]["BatchView"][];
            /** @description For the next page. */
            next_cursor?: string | null;
        };
        /** @description 1 to 20,000 tasks, accepted all or none. */
        BatchRequest: {
            on_complete?: components["schemas"]["SubmitRequest"] | null;
            /** @description The tasks. */
            tasks: components["schemas"]["SubmitRequest"][];
        };
        /** @description A batch and how far it is. */
        BatchView: {
            /**
             * Format: date-time
             * @description Submitted.
             */
            created_at: string;
            /**
             * Format: int64
             * @description How many of them have ended.
             */
            ended: number;
            /** @description Its id. */
            id: string;
            /** @description Tasks by state. */
            states: {
                [key: string]: number;
            };
            /**
             * Format: int64
             * @description How many tasks.
             */
            tasks: number;
        };
        /** @description Bytes that are kept by their content. */
        BlobView: {
            /** @description SHA-256 of the bytes: `sha256:` and 64 hexadecimal digits. */
            digest: string;
            /**
             * Format: int64
             * @description How many bytes they are.
             */
            size_bytes: number;
        };
        /** @description Which tasks a bulk operation is about: all that is given must match, and something must be given. */
        BulkRequest: {
            /**
             * @description Needed where nothing else is given: every task of the cluster.
             * @default false
             */
            all: boolean;
            /**
             * @description Of this batch.
             * @default null
             */
            batch: string | null;
            /**
             * @description For a retry: what the new tasks have otherwise. `version` needs `module`.
             * @default {
             *       "limits": {}
             *     }
             */
            changes: components["schemas"]["RetryRequest"];
            /**
             * Format: date-time
             * @description Submitted before this time.
             * @default null
             */
            created_before: string | null;
            /**
             * @description With this label, `key:value`.
             * @default null
             */
            label: string | null;
            /**
             * @description Of this module.
             * @default null
             */
            module: string | null;
            /**
             * @description Of this namespace.
             * @default null
             */
            namespace: string | null;
            /**
             * @description Children of this task.
             * @default null
             */
            parent: string | null;
            /**
             * @description Of this queue.
             * @default null
             */
            queue: string | null;
            /**
             * @description In this state. Default: for a cancel every state before the end, for a retry `failed`.
             * @default null
             */
            status: string | null;
        };
        /** @description What one version has and the other has not. */
        Changes: {
            /** @description Only the second has it. */
            added?: string[];
            /** @description How many more there are: at most 1,000 of each are named. */
            left_out?: number;
            /** @description Only the first has it. */
            removed?: string[];
        };
        /** @description The cluster. */
        ClusterInfo: {
            /**
             * Format: int64
             * @description Largest payload of all, kept by reference, in bytes.
             */
            blob_bytes_max?: number;
            /** @description Living hosts. */
            hosts: number;
            /** @description The leading scheduler, its term and since when. */
            leader?: Record<string, never> | null;
            /** @description Defaults and maxima of limits. */
            limits: Record<string, never>;
            /** @description Whether this API process is connected to NATS. */
            nats_connected: boolean;
            /**
             * Format: date-time
             * @description This API process's clock.
             */
            now?: string | null;
            /** @description Largest payload that travels with its task, in bytes. */
            payload_bytes_max: number;
            /**
             * Format: int32
             * @description Slots of all of them.
             */
            slots: number;
            /** @description Version of this API process. */
            version: string;
        };
        /** @description The cluster in numbers. */
        ClusterStats: {
            /** @description Lanes that are not empty. */
            lanes: components["schemas"]["LaneView"][];
            /** @description Tasks by state. */
            states: {
                [key: string]: number;
            };
        };
        /** @description How many tasks with a key may run at once. */
        ConcurrencyRequest: {
            /**
             * @description 1 to 128 bytes; keys of one namespace never meet those of another.
             * @example customer-42
             */
            key: string;
            /**
             * Format: int32
             * @description 1 to 10,000.
             * @example 3
             */
            max: number;
        };
        /** @description The settings of one process. */
        ConfigView: {
            /** @description Whether it is a development instance, which can forget everything. */
            resettable: boolean;
            /** @description What was set, by key; secrets are `[redacted]`. */
            settings: Record<string, never>;
        };
        /** @description A page of deliveries, those of the newest tasks first. */
        DeliveryList: {
            /** @description The deliveries. */
            deliveries: components["schemas"]["DeliveryView"][];
            /** @description The `before` of the next page; none on the last. */
            next?: string | null;
        };
        /** @description One event for one endpoint. */
        DeliveryView: {
            /**
             * Format: int32
             * @description How often it was sent.
             */
            attempts: number;
            /**
             * Format: date-time
             * @description When it was taken or given up.
             */
            ended_at?: string | null;
            /** @description What happened. */
            event: string;
            /** @description The event's id: the same at every repetition. */
            id: string;
            /** @description Why the newest attempt failed. */
            last_error?: string | null;
            /**
             * Format: int32
             * @description HTTP status of the newest answer.
             */
            last_status?: number | null;
            /**
             * Format: date-time
             * @description When it is sent next.
             */
            next_at?: string | null;
            /** @description `waiting`, `delivered` or `dead`. */
            state: string;
            /** @description The task or batch that it happened to. */
            subject: string;
            /**
             * Format: date-time
             * @description When it happened.
             */
            time: string;
            /** @description Which endpoint. */
            webhook: string;
        };
        /** @description An arrow: `task` waits for `on`. */
        EdgeView: {
            /** @description What is waited for; it may be outside of the batch. */
            on: string;
            /** @description What waits. */
            task: string;
        };
        /**
         * @description A stable, readable error code.
         * @enum {string}
         */
        ErrorCode: "malformed_json" | "invalid_request" | "unsupported_media_type" | "body_too_large" | "payload_too_large" | "blob_not_found" | "blob_digest_invalid" | "blob_digest_mismatch" | "blob_incomplete" | "invalid_payload" | "payload_schema_mismatch" | "limit_out_of_bounds" | "retry_out_of_bounds" | "deadline_passed" | "batch_size" | "duration_invalid" | "dependency_cycle" | "dependency_invalid" | "dependency_not_found" | "binding_invalid" | "unique_invalid" | "flow_invalid" | "flow_rules_full" | "flow_rule_not_found" | "task_not_waiting" | "task_not_replayable" | "batch_not_found" | "batch_not_replayable" | "schedule_not_found" | "schedule_exists" | "schedules_full" | "cron_invalid" | "timezone_unknown" | "schedule_invalid" | "retention_invalid" | "retention_rule_not_found" | "task_removed" | "payload_removed" | "result_removed" | "log_removed" | "webhook_not_found" | "webhook_exists" | "webhooks_full" | "webhook_invalid" | "webhook_paused" | "delivery_not_found" | "delivery_done" | "egress_refused" | "kv_invalid" | "kv_key_not_found" | "kv_limit" | "secret_not_found" | "secret_invalid" | "secrets_full" | "secrets_not_configured" | "secret_key_unknown" | "operation_not_found" | "filter_missing" | "parent_ended" | "quota_exceeded" | "namespace_crossed" | "namespace_not_found" | "namespace_invalid" | "host_not_found" | "host_slots" | "host_silent" | "reset_refused" | "module_not_found" | "module_version_not_found" | "alias_not_found" | "alias_invalid" | "alias_nothing_before" | "module_quarantined" | "module_disabled" | "module_in_use" | "module_invalid" | "module_wrong_world" | "module_imports_unlisted" | "module_too_large" | "module_over_limits" | "module_not_compiled" | "manifest_invalid" | "assets_invalid" | "assets_too_large" | "module_conflict" | "task_not_found" | "task_already_ended" | "task_not_ended" | "task_has_no_result" | "idempotency_conflict" | "idempotency_key_invalid" | "invalid_id" | "invalid_query" | "invalid_cursor" | "unknown_status" | "not_found" | "method_not_allowed" | "request_timeout" | "feeds_full" | "origin_refused" | "upgrade_required" | "database_unavailable" | "nats_unavailable" | "unauthenticated" | "permission_denied" | "host_refused" | "rate_limited" | "precondition_failed" | "token_not_found" | "token_invalid" | "tokens_full" | "internal";
        /** @description What has changed within a moment. */
        FeedChange: {
            /**
             * Format: date-time
             * @description When it was noted down.
             */
            at: string;
            /** @description How many tasks came to which state; `submitted` counts those that were submitted through the process that answers. */
            counts: {
                [key: string]: number;
            };
            /** @description Whether there were more than are named. */
            more: boolean;
            /** @description The first of them, at most 50. */
            tasks: components["schemas"]["FeedTask"][];
        };
        /** @description A task whose state has changed. */
        FeedTask: {
            /** @description Its id. */
            id: string;
            /** @description Name of its module. */
            module: string;
            /** @description Its queue. */
            queue: string;
            /** @description Where it stands now. */
            state: string;
        };
        /** @description One check of the doctor. */
        Finding: {
            /** @description What to do about it. */
            advice?: string | null;
            /** @description What was found. */
            found: string;
            /** @description What was looked at. */
            name: string;
            /** @description How it came out. */
            verdict: components["schemas"]["Verdict"];
        };
        /** @description What the doctor found. */
        FindingList: {
            /**
             * Format: date-time
             * @description When it looked.
             */
            at: string;
            /** @description Each check. */
            checks: components["schemas"]["Finding"][];
        };
        /** @description What happened at one instant. */
        FiringView: {
            /** @description The instant, in the schedule's time zone. */
            at: string;
            /** @description Why there is none: `missed`, `overlap`, `superseded`, `module_missing`, `module_disabled`. */
            passed?: string | null;
            /** @description Its task. */
            task?: string | null;
        };
        /** @description A batch as a graph. */
        GraphView: {
            /** @description What waits for what: at most 200,000 arrows. */
            edges: components["schemas"]["EdgeView"][];
            /** @description The batch. */
            id: string;
            /** @description Its tasks, in the order of their submission. */
            nodes: components["schemas"]["NodeView"][];
            /** @description Whether there are more arrows. */
            truncated?: boolean;
        };
        /** @description Whether this process is well. */
        HealthView: {
            /** @description Each thing that was looked at. */
            checks: {
                [key: string]: string;
            };
            /** @description `ok`, `degraded` or `unavailable`. */
            status: string;
        };
        /** @description Tasks that ended within one second. */
        HistorySecond: {
            /**
             * Format: date-time
             * @description Its beginning.
             */
            at: string;
            /** @description How many, by state. */
            ended: {
                [key: string]: number;
            };
        };
        /** @description What ended of late. Seconds in which nothing ended are left out. */
        HistoryView: {
            /** @description The oldest first. */
            seconds: components["schemas"]["HistorySecond"][];
            /**
             * Format: date-time
             * @description Since when there is a history: the start of the process that answers, or as long ago as was asked for.
             */
            since: string;
        };
        /** @description The living hosts. */
        HostList: {
            /** @description Their newest heartbeats. */
            hosts: Record<string, never>[];
        };
        /** @description A change of a host. */
        HostRequest: {
            /**
             * Format: int32
             * @description Guests that run at once: from 1 to the host's `slots_max`.
             * @example 8
             */
            slots: number;
        };
        /** @description One host, by its newest heartbeat. */
        HostView: Record<string, never>;
        /** @description A value with what belongs to it. */
        KvEntryView: {
            /**
             * Format: date-time
             * @description When it goes by itself.
             */
            expires_at?: string | null;
            /** @description The key. */
            key: string;
            /** @description Changes with every write. */
            revision: string;
            /** @description As text, if it is text. */
            value?: string | null;
            /** @description As bytes in standard base64, if it is not. */
            value_base64?: string | null;
        };
        /** @description Some keys of a store. */
        KvKeyList: {
            /** @description By their bytes. */
            keys: string[];
            /** @description `after` for the next page, if there is one. */
            next?: string | null;
        };
        /** @description What a key is set to. Give exactly one of the two values. */
        KvRequest: {
            /**
             * @description How long it stays, such as `1h`. Default: for ever.
             * @default null
             * @example 1h
             */
            ttl: string | null;
            /**
             * @description As text.
             * @default null
             */
            value: string | null;
            /**
             * @description As bytes, in standard base64.
             * @default null
             */
            value_base64: string | null;
        };
        /** @description The stores of a namespace. */
        KvStoreList: {
            /** @description By name. */
            stores: components["schemas"]["KvStoreView"][];
        };
        /** @description One store. */
        KvStoreView: {
            /**
             * Format: int64
             * @description Bytes of keys and values.
             */
            bytes: number;
            /**
             * Format: int64
             * @description How many keys, those that have just expired included.
             */
            keys: number;
            /**
             * @description `module:NAME` or `shared:NAME`.
             * @example module:thumbnail
             */
            store: string;
        };
        /** @description What waits in one lane. */
        LaneView: {
            /**
             * Format: date-time
             * @description When the oldest of them became queued.
             */
            oldest_queued_at?: string | null;
            /**
             * Format: int32
             * @description 1 to 10.
             */
            priority: number;
            /** @description The queue. */
            queue: string;
            /**
             * Format: int64
             * @description Tasks in state `queued`.
             */
            queued: number;
        };
        /** @description What followed a place in a task's log, also while the task runs. */
        LiveLogView: {
            /**
             * Format: int32
             * @description The attempt that said it.
             */
            attempt: number;
            /** @description The place behind the last line: to be given as `after` in the next request. */
            cursor: string;
            /**
             * Format: int64
             * @description Lines between the place that was asked for and the first of these that were not kept.
             */
            dropped_lines: number;
            /** @description Whether nothing will follow any more. */
            ended: boolean;
            /** @description The lines, at most 1,000 and about 256 KiB. */
            lines: Record<string, never>[];
            /** @description Where the task stands. */
            state: string;
        };
        /** @description What a guest said. */
        LogView: {
            /**
             * Format: int32
             * @description The attempt that said it.
             */
            attempt: number;
            /**
             * Format: int64
             * @description Bytes that were not kept.
             */
            dropped_bytes: number;
            /**
             * Format: int64
             * @description Lines between them that were not kept.
             */
            dropped_lines: number;
            /** @description Head and tail, in order. */
            lines: Record<string, never>[];
        };
        /** @description The difference of two versions. */
        ModuleDiff: {
            /** @description What it offers. */
            exports: components["schemas"]["Changes"];
            /** @description The first version. */
            from: string;
            /**
             * Format: int64
             * @description Size of the first, in bytes.
             */
            from_size_bytes: number;
            /** @description What it needs of the host. */
            imports: components["schemas"]["Changes"];
            /** @description The rest of the manifest, as `key = value`. */
            manifest: components["schemas"]["Changes"];
            /** @description The module. */
            name: string;
            /** @description What its manifest asks for, as `key = value`. */
            permissions: components["schemas"]["Changes"];
            /** @description Whether the bytes are the same. */
            same_bytes: boolean;
            /** @description The second version. */
            to: string;
            /**
             * Format: int64
             * @description Size of the second, in bytes.
             */
            to_size_bytes: number;
        };
        /** @description What was done to a module. */
        ModuleEventList: {
            /** @description The newest first, at most 200. */
            events: components["schemas"]["ModuleEventView"][];
        };
        /** @description One change of a module. */
        ModuleEventView: Record<string, never> & {
            /**
             * Format: date-time
             * @description When.
             */
            at: string;
        };
        /** @description Every module's rule. */
        ModuleFlowList: {
            /** @description By name. */
            modules: components["schemas"]["ModuleFlowView"][];
        };
        /** @description What holds for all tasks of a module together. At least one of the two. */
        ModuleFlowRequest: {
            /**
             * Format: int32
             * @description Tasks of it at once, in the whole cluster: 1 to 10,000.
             * @default null
             */
            max: number | null;
            /**
             * @description How fast its tasks may start: `10/1s`, or `600/1m burst 20`.
             * @default null
             */
            rate: string | null;
        };
        /** @description What an operator said of a module's flow. */
        ModuleFlowView: {
            /**
             * Format: int32
             * @description Tasks of it at once, in the whole cluster.
             */
            max?: number | null;
            /** @description The module. */
            module: string;
            /**
             * @description How fast its tasks may start.
             * @example 10/1s
             */
            rate?: string | null;
        };
        /** @description Deployed versions, by name, the newest version first. */
        ModuleList: {
            /** @description The versions. */
            modules: components["schemas"]["ModuleView"][];
        };
        /** @description A deployed version. */
        ModuleView: {
            /**
             * Format: date-time
             * @description When it was deployed.
             */
            created_at: string;
            /** @description SHA-256 of its bytes. */
            digest: string;
            /**
             * Format: date-time
             * @description Since when no new tasks of it are taken; missing while it is on.
             */
            disabled_at?: string | null;
            /** @description Which contract it keeps: component, `command_p1`, `command_p2`. */
            kind: string;
            /** @description What its author says. */
            manifest: Record<string, never>;
            /** @description Its full name: `resize`, or `acme/resize` where another namespace than `default` owns it. */
            name: string;
            /** @description Who owns it. */
            namespace?: string;
            /**
             * Format: date-time
             * @description Since when it is kept from running, because hosts died of it; missing while it may run.
             */
            quarantined_at?: string | null;
            /**
             * Format: int64
             * @description Size in bytes.
             */
            size_bytes: number;
            /** @description Its version. */
            version: string;
        };
        /** @description Namespaces, by name. */
        NamespaceList: {
            /** @description Those that have anything or a quota, and `default`. */
            namespaces: components["schemas"]["NamespaceView"][];
        };
        /** @description A namespace that somebody has named. */
        NamespaceView: {
            /** @description Which. */
            name: string;
            /** @description What it may have at most. */
            quotas: components["schemas"]["QuotasBody"];
            /** @description What it has. */
            usage: components["schemas"]["UsageView"];
        };
        /** @description When an expression fires. */
        NextRuns: {
            /** @description The same in words. */
            description: string;
            /** @description The expression. */
            expression: string;
            /** @description The next runs, in that zone. */
            next_runs: string[];
            /** @description IANA time zone. */
            timezone: string;
        };
        /** @description A task in a graph. */
        NodeView: {
            /** @description Its id. */
            id: string;
            /** @description Name of its module. */
            module: string;
            /** @description Its name in the batch. */
            name?: string | null;
            /** @description Why, where it ended without a result. */
            outcome?: Record<string, never> | null;
            /** @description Where it stands. */
            state: string;
        };
        /** @description Bulk operations, the newest first. */
        OperationList: {
            /** @description The operations. */
            operations: components["schemas"]["OperationView"][];
        };
        /** @description A bulk operation and how far it is. */
        OperationView: {
            /** @description `cancel` or `retry`. */
            action: string;
            /**
             * Format: date-time
             * @description Began.
             */
            created_at: string;
            /**
             * Format: int64
             * @description Tasks that it was done to.
             */
            done: number;
            /**
             * Format: date-time
             * @description Ended.
             */
            ended_at?: string | null;
            /** @description Where to look. */
            href: string;
            /** @description Its id. */
            id: string;
            /**
             * Format: int64
             * @description Tasks that it could no longer be done to.
             */
            skipped: number;
            /** @description `running` or `done`. */
            state: string;
            /**
             * Format: int64
             * @description Tasks that matched when it began.
             */
            total: number;
        };
        /** @description An expression to be explained. */
        PreviewRequest: {
            /**
             * Format: int32
             * @description How many runs to show, 1 to 100. Default: 5.
             */
            count?: number | null;
            /** @description As in a schedule. */
            expression: string;
            /** @description IANA time zone. Default: `UTC`. */
            timezone?: string | null;
        };
        /** @description An error, by RFC 9457 (`application/problem+json`). */
        Problem: {
            /** @description Stable, for programs. */
            code: components["schemas"]["ErrorCode"];
            /** @description What is wrong with this request. */
            detail: string;
            /** @description Each thing that is wrong, where there are several. */
            errors?: string[];
            /** @description What to do next. */
            hint: string;
            /** @description To find the request in the server's log. */
            request_id?: string;
            /**
             * Format: int32
             * @description HTTP status.
             */
            status: number;
            /** @description The code in words. */
            title: string;
            /** @description Where the code is explained. */
            type: string;
        };
        /** @description Which version gets all tasks of an alias. */
        PromoteRequest: {
            /**
             * @description Default: the newest of those that it leads to.
             * @default null
             */
            version: string | null;
        };
        /** @description Every queue that has tasks or a rule. */
        QueueList: {
            /** @description By name. */
            queues: components["schemas"]["QueueView"][];
        };
        /** @description A change of a queue. */
        QueueRequest: {
            /**
             * @description Whether its plain tasks, too, take fair shares, by namespace.
             * @default null
             */
            fair: boolean | null;
        };
        /** @description A queue: what operators said of it, and what waits and runs in it. */
        QueueView: {
            /** @description Whether its plain tasks, too, take fair shares, by namespace. */
            fair: boolean;
            /**
             * Format: int64
             * @description Of them, those that flow control holds back.
             */
            held: number;
            /** @description Its name. */
            name: string;
            /**
             * Format: date-time
             * @description When the oldest queued one became queued.
             */
            oldest_queued_at?: string | null;
            /**
             * Format: date-time
             * @description Since when nothing of it goes to the hosts; missing while it is not paused.
             */
            paused_at?: string | null;
            /**
             * Format: int64
             * @description Tasks that are queued, held ones included.
             */
            queued: number;
            /**
             * Format: int64
             * @description Tasks that run.
             */
            running: number;
            /**
             * Format: int64
             * @description Tasks that wait for a time or for other tasks.
             */
            waiting: number;
        };
        /** @description What a namespace may have at most. What is left out is bounded by the cluster alone; zero lets nothing in. */
        QuotasBody: {
            /**
             * Format: int64
             * @description Bytes of keys and values, in all its stores together.
             * @default null
             */
            kv_bytes_max: number | null;
            /**
             * Format: int64
             * @description Sum of their sizes, in bytes.
             * @default null
             */
            module_bytes_max: number | null;
            /**
             * Format: int64
             * @description Deployed versions, of all its modules together.
             * @default null
             */
            modules_max: number | null;
            /**
             * Format: int64
             * @description Recurring schedules.
             * @default null
             */
            schedules_max: number | null;
            /**
             * Format: int64
             * @description Secrets.
             * @default null
             */
            secrets_max: number | null;
            /**
             * Format: int64
             * @description Tasks on their way to a host or running, at once; the others wait.
             * @default null
             * @example 20
             */
            tasks_running_max: number | null;
            /**
             * Format: int64
             * @description Tasks that have not ended.
             * @default null
             * @example 10000
             */
            tasks_waiting_max: number | null;
        };
        /** @description How fast tasks with a key may start. */
        RateRequest: {
            /**
             * @description 1 to 128 bytes; keys of one namespace never meet those of another.
             * @example api.example.com
             */
            key: string;
            /**
             * @description `10/1s`, or `600/1m burst 20`; without a burst, it is the limit.
             * @example 10/1s
             */
            limit: string;
        };
        /** @description When a waiting task shall run instead. */
        RescheduleRequest: {
            /**
             * @description Or this long from now: `90s`, `1h 30m`; `0s` means at once.
             * @default null
             */
            delay: string | null;
            /**
             * Format: date-time
             * @description At this time (RFC 3339); the past means at once.
             * @default null
             */
            run_at: string | null;
        };
        /** @description What sealing anew came to. */
        ResealView: {
            /** @description Which key everything is sealed with now. */
            key_id: string;
            /**
             * Format: int64
             * @description Sealed anew.
             */
            resealed: number;
            /**
             * Format: int64
             * @description Sealed with that key before.
             */
            unchanged: number;
        };
        /** @description Everything shall be forgotten. */
        ResetRequest: {
            /**
             * @description `reset`, so that nobody does it by mistake.
             * @example reset
             */
            confirm: string;
        };
        /** @description A result inside JSON: one of the fields, by what the bytes are. */
        ResultView: {
            /** @description It is neither. */
            base64?: string | null;
            blob?: components["schemas"]["BlobView"] | null;
            /** @description It is JSON. */
            json?: Record<string, never> | null;
            /** @description It is text. */
            text?: string | null;
        };
        /**
         * @description How long ended tasks and what belongs to them stay. What is left out is decided by the next weaker rule: a module's rule comes
         *     before its queue's, that before the default rule, that before the server's settings.
         */
        RetentionRule: {
            /**
             * @description Their logs; `forever` is as long as the task.
             * @default null
             * @example 12h 30m
             */
            logs: string | null;
            /**
             * @description Their payloads; `forever` is as long as the task. A task without its payload cannot be retried.
             * @default null
             * @example forever
             */
            payloads: string | null;
            /**
             * @description Their results; `forever` is as long as the task.
             * @default null
             * @example 7d
             */
            results: string | null;
            /**
             * @description Ended tasks, such as `14d`; from `1s` to ten years, or `forever`.
             * @default null
             * @example 14d
             */
            tasks: string | null;
        };
        /** @description Every rule of retention. */
        RetentionView: {
            default?: components["schemas"]["RetentionRule"] | null;
            /** @description Rules of modules, by name. */
            modules: {
                [key: string]: components["schemas"]["RetentionRule"];
            };
            /** @description Rules of queues, by name. */
            queues: {
                [key: string]: components["schemas"]["RetentionRule"];
            };
            /** @description What holds where no rule says otherwise: the settings of the process that answers. */
            settings: components["schemas"]["RetentionRule"];
        };
        /** @description How a task is submitted anew. */
        RetryRequest: {
            /** @description Other limits; what is not named stays. */
            limits?: Record<string, never>;
            /** @description Another priority. */
            priority?: Record<string, never> | null;
            /**
             * @description Another version of the same module: `1.2.4`, or `latest`.
             * @default null
             */
            version: string | null;
        };
        /** @description A version that an alias leads to. */
        RouteBody: {
            /**
             * @description Where to.
             * @example 2.1.0
             */
            version: string;
            /**
             * Format: int32
             * @description Its part, measured against the sum of all: 1 to 10,000. Default: 100.
             * @example 5
             */
            weight?: number;
        };
        /** @description A change of a schedule: what is not named stays. */
        ScheduleChange: {
            /**
             * @description As in a schedule.
             * @default null
             * @example 30 2 * * MON-FRI
             */
            expression: string | null;
            /**
             * @description Each task starts up to this much later; `0s` for not at all.
             * @default null
             */
            jitter: string | null;
            /**
             * @description `skip`, `latest` or `all`.
             * @default null
             */
            missed: string | null;
            /**
             * @description `allow`, `skip` or `cancel-previous`.
             * @default null
             */
            overlap: string | null;
            /**
             * @description Of the task.
             * @default {
             *       "limits": {},
             *       "retry": {}
             *     }
             */
            task: components["schemas"]["ScheduleTaskChange"];
            /**
             * @description IANA time zone.
             * @default null
             */
            timezone: string | null;
            /**
             * @description How old a missed instant may be.
             * @default null
             */
            window: string | null;
        };
        /** @description Schedules, by name. */
        ScheduleList: {
            /** @description The schedules. */
            schedules: components["schemas"]["ScheduleView"][];
        };
        /** @description A recurring schedule. */
        ScheduleRequest: {
            /**
             * @description Five or six cron fields, `@daily` and friends, or `@every 90s`.
             * @example 30 2 * * MON-FRI
             */
            expression: string;
            /** @description Each task starts up to this much later, such as `30s`; at most a day. Default: not at all. */
            jitter?: string | null;
            /** @description What becomes of instants at which no scheduler was there: `skip` (default), `latest` or `all`. */
            missed?: string | null;
            /**
             * @description Its name in the cluster.
             * @example nightly-report
             */
            name: string;
            /** @description What happens when the last task goes on: `allow` (default), `skip` or `cancel-previous`. */
            overlap?: string | null;
            /** @description Whether it begins paused. */
            paused?: boolean;
            /**
             * @description What it submits. Without a version, each task runs the newest version of its time. Times, dependences and keys cannot be
             *     given.
             */
            task: components["schemas"]["SubmitRequest"];
            /**
             * @description IANA time zone. Default: `UTC`.
             * @example Europe/Vienna
             */
            timezone?: string | null;
            /** @description How old such an instant may be, such as `6h`; at most 7 days. Default: 1 hour. */
            window?: string | null;
        };
        /** @description A change of the task that a schedule submits: what is not named stays. */
        ScheduleTaskChange: {
            /**
             * @description All labels.
             * @default null
             */
            labels: {
                [key: string]: string;
            } | null;
            /** @description Other limits. */
            limits?: Record<string, never>;
            /**
             * @description `name`, `name@version` or `name@alias`, of the schedule's own namespace.
             * @default null
             */
            module: string | null;
            /** @description Input as any JSON value. At most one of the three. */
            payload?: Record<string, never> | null;
            /**
             * @description Input as bytes, in standard base64.
             * @default null
             */
            payload_base64: string | null;
            /**
             * @description Input as text.
             * @default null
             */
            payload_text: string | null;
            /** @description 1 to 10, or high, medium, low. */
            priority?: Record<string, never> | null;
            /**
             * @description A queue.
             * @default null
             */
            queue: string | null;
            /** @description Other retries. */
            retry?: Record<string, never>;
        };
        /** @description A recurring schedule. */
        ScheduleView: {
            /**
             * Format: date-time
             * @description When it was made.
             */
            created_at: string;
            /** @description The same in words. */
            description: string;
            /** @description When it fires. */
            expression: string;
            /**
             * Format: int64
             * @description Instants that became tasks.
             */
            fired: number;
            /** @description The newest instants, of one schedule only. */
            firings?: components["schemas"]["FiringView"][];
            /**
             * Format: int64
             * @description Each task starts up to this much later, in milliseconds.
             */
            jitter_ms: number;
            /** @description Where that stands. */
            last_state?: string | null;
            /** @description The newest task. */
            last_task?: string | null;
            /** @description `skip`, `latest` or `all`. */
            missed: string;
            /** @description Its name. */
            name: string;
            /** @description The next runs, in its time zone; none while it is paused. */
            next_runs: string[];
            /** @description `allow`, `skip` or `cancel-previous`. */
            overlap: string;
            /**
             * Format: int64
             * @description Instants that were passed over.
             */
            skipped: number;
            /** @description `active` or `paused`. */
            state: string;
            /** @description What it submits. */
            task: Record<string, never>;
            /** @description IANA time zone. */
            timezone: string;
            /**
             * Format: int64
             * @description How old a missed instant may be, in milliseconds.
             */
            window_ms: number;
        };
        /** @description The secrets of a namespace. */
        SecretList: {
            /** @description By name. */
            secrets: components["schemas"]["SecretView"][];
        };
        /** @description A value. Give exactly one of the two. */
        SecretRequest: {
            /**
             * @description As text.
             * @default null
             * @example sk_test_123
             */
            value: string | null;
            /**
             * @description As bytes, in standard base64.
             * @default null
             */
            value_base64: string | null;
        };
        /** @description What may be known of a secret. */
        SecretView: {
            /**
             * Format: date-time
             * @description When its value was last set.
             */
            changed_at: string;
            /**
             * Format: date-time
             * @description When it was first set.
             */
            created_at: string;
            /** @description Which key it is sealed with. */
            key_id: string;
            /** @description What it is called. */
            name: string;
            /** @description Whose tasks may have it. */
            namespace: string;
            /**
             * Format: int32
             * @description 1 for the first value, one more for each later.
             */
            version: number;
        };
        /** @description A task to be run. */
        SubmitRequest: {
            /** @description What it waits for: names in the batch, or ids of any tasks. */
            after?: string[];
            concurrency?: components["schemas"]["ConcurrencyRequest"] | null;
            /**
             * Format: date-time
             * @description When all of it must have ended (RFC 3339).
             */
            deadline?: string | null;
            /**
             * @description As `delay_ms`, in words: `90s`, `1h 30m`, `P1DT2H`.
             * @example 1h 30m
             */
            delay?: string | null;
            /**
             * Format: int64
             * @description Not before this many milliseconds from now; instead of `run_at`.
             */
            delay_ms?: number | null;
            /** @description Makes repeating the request safe for 24 h; the header `Idempotency-Key` does the same. */
            idempotency_key?: string | null;
            /** @description To find it by: at most 16 pairs. */
            labels?: {
                [key: string]: string;
            };
            /** @description What each attempt may use. Default: the module's, else the cluster's. */
            limits?: Record<string, never>;
            /**
             * @description `name` for the newest version, or `name@version`: a module of the task's own namespace.
             * @example thumbnail@1.0.0
             */
            module: string;
            /** @description What the other tasks of the batch call it. */
            name?: string | null;
            /** @description Whom it belongs to. Default: `default`. Nothing of one namespace meets what another has. */
            namespace?: string | null;
            /**
             * @description What becomes of it when one of those ends without a result: `fail` (default), `skip` or `continue`.
             * @example fail
             */
            on_failure?: string | null;
            /** @description Input as any JSON value; the guest sees its text. At most one of the four payload fields. */
            payload?: Record<string, never> | null;
            /** @description Input as bytes, in standard base64. */
            payload_base64?: string | null;
            /**
             * @description Input that was uploaded before (`POST /api/v1/blobs`): its digest.
             * @example sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
             */
            payload_blob?: string | null;
            /** @description Input as text. */
            payload_text?: string | null;
            /** @description 1 to 10 (most urgent), or high (8), medium (5), low (2). Default: the module's, else 5. */
            priority?: Record<string, never> | null;
            /** @description Default: the module's, else `default`. */
            queue?: string | null;
            rate?: components["schemas"]["RateRequest"] | null;
            /** @description How it is tried again. Default: the module's, else 3 attempts. */
            retry?: Record<string, never>;
            /**
             * Format: date-time
             * @description Not before this time (RFC 3339).
             */
            run_at?: string | null;
            /**
             * @description Whose fair share of its lane it takes. Default: its concurrency key's, else its namespace's.
             * @example customer-42
             */
            share?: string | null;
            unique?: components["schemas"]["UniqueRequest"] | null;
        };
        /** @description The answer to an accepted task. */
        TaskAccepted: {
            /** @description Whether a task of the same kind was there already, which this is (`unique`). */
            duplicate?: boolean;
            /** @description Where to look. */
            href: string;
            /** @description Its id. */
            id: string;
            /** @description `queued`, `scheduled` or `blocked`; of a task that was there before: where it stands. */
            state: string;
        };
        /** @description A page of tasks, newest first. */
        TaskList: {
            /** @description For the next page. */
            next_cursor?: string | null;
            /** @description The tasks. */
            tasks: components["schemas"]["TaskView"][];
        };
        /** @description A task. */
        TaskView: {
            /** @description The alias that chooses the version anew when the task first becomes queued; left out when the version is settled. */
            alias?: string | null;
            /**
             * Format: int32
             * @description The attempt that runs, will run, or was the last.
             */
            attempt: number;
            /** @description The batch that it was submitted with. */
            batch?: string | null;
            /** @description At most so many tasks with this key at once. */
            concurrency?: Record<string, never> | null;
            /** @description SHA-256 of its module. */
            digest: string;
            /** @description `true` while it is queued and flow control holds it back: a limit is reached, others go first, or the queue is paused. */
            held?: boolean;
            /** @description Where the newest attempt ran. */
            host?: string | null;
            /** @description Its id. */
            id: string;
            /** @description To find it by. */
            labels?: {
                [key: string]: string;
            };
            /** @description What each attempt may use. */
            limits: Record<string, never>;
            /**
             * Format: int32
             * @description Attempts that there can be.
             */
            max_attempts: number;
            /** @description Name of its module. */
            module: string;
            /** @description Its name in the batch. */
            name?: string | null;
            /** @description Whom it belongs to. */
            namespace?: string;
            /** @description The bulk operation that cancels what descends from it, with `?tree=true` only. */
            operation?: string | null;
            /** @description The ended task that this one repeats. */
            origin?: string | null;
            /** @description What the newest ended attempt came to: `kind` and its data. */
            outcome?: Record<string, never> | null;
            /** @description The task whose guest enqueued it. */
            parent?: string | null;
            /**
             * Format: int32
             * @description 1 to 10.
             */
            priority: number;
            /** @description How far the guest says it is. */
            progress?: Record<string, never> | null;
            /** @description Where it waits. */
            queue: string;
            /**
             * Format: double
             * @description From queued to started, in milliseconds.
             */
            queue_wait_ms?: number | null;
            /** @description Tasks with this key start no faster than this. */
            rate?: Record<string, never> | null;
            result?: components["schemas"]["ResultView"] | null;
            /** @description How it is tried again. */
            retry: Record<string, never>;
            /** @description Whose fair share of its lane it takes, where the submit said so. */
            share?: string | null;
            /** @description Where it stands. */
            state: string;
            /** @description When what happened. */
            timings: components["schemas"]["Timings"];
            /** @description What it used. */
            usage?: Record<string, never> | null;
            /** @description Version of its module. */
            version: string;
            /**
             * Format: int32
             * @description How many tasks it still waits for.
             */
            waits_for?: number;
        };
        /** @description When what happened. */
        Timings: {
            /**
             * Format: date-time
             * @description Submitted.
             */
            created_at: string;
            /**
             * Format: date-time
             * @description All of it must have ended.
             */
            deadline?: string | null;
            /**
             * Format: date-time
             * @description Becomes queued.
             */
            due_at?: string | null;
            /**
             * Format: date-time
             * @description The newest attempt ended.
             */
            ended_at?: string | null;
            /**
             * Format: date-time
             * @description Last became queued.
             */
            queued_at?: string | null;
            /**
             * Format: date-time
             * @description The newest attempt started.
             */
            started_at?: string | null;
        };
        /** @description Tokens, the newest first. */
        TokenList: {
            /** @description Those that the caller may see. */
            tokens: components["schemas"]["TokenView"][];
        };
        /** @description A token to be made. */
        TokenRequest: {
            /**
             * @description How long it opens anything, such as `90d`. Default: until it is revoked.
             * @example 90d
             */
            expires_in?: string | null;
            /** @description Roles by namespace, `*` for all: viewer, submitter, operator, deployer or admin. */
            grants: {
                [key: string]: string;
            };
            /**
             * @description What people call it; needs not be unique.
             * @example ci
             */
            name: string;
            /**
             * @description How many requests it may make, such as `100/1s`, in each API process. Default: as the server says for all.
             * @example 100/1s
             */
            rate?: string | null;
        };
        /** @description A token, without what proves it. */
        TokenView: {
            /**
             * Format: date-time
             * @description When.
             */
            created_at: string;
            /** @description Who made it. */
            created_by: string;
            /**
             * Format: date-time
             * @description When it ends by itself.
             */
            expires_at?: string | null;
            /** @description Roles by namespace. */
            grants: {
                [key: string]: string;
            };
            /**
             * @description What names it, and how its text begins.
             * @example tlk_0123456789abcdef
             */
            id: string;
            /**
             * Format: date-time
             * @description When it was last used, to within a minute.
             */
            last_used_at?: string | null;
            /** @description What people call it. */
            name: string;
            /** @description How many requests it may make, where that was said. */
            rate?: string | null;
            /**
             * Format: date-time
             * @description When it was revoked.
             */
            revoked_at?: string | null;
            /** @description `active`, `expired` or `revoked`. */
            state: string;
            /** @description The whole token: in the answer that made it, and never again. */
            token?: string | null;
        };
        /** @description What makes two tasks the same kind, and when the earlier one stands in the way of the later one. */
        UniqueRequest: {
            /** @description Some of `module`, `version`, `queue`, `payload`, `label` (all labels) and `label:KEY`. Default: `module` and `payload`. */
            by?: string[];
            /** @description How long after its submission, such as `1h`. Default: for ever. */
            for?: string | null;
            /** @description The states in which the earlier one stands in the way. Default: every state before the end; with `for`, also `succeeded`. */
            while?: string[] | null;
        };
        /** @description What a namespace has. */
        UsageView: {
            /**
             * Format: int64
             * @description Bytes of keys and values.
             */
            kv_bytes: number;
            /**
             * Format: int64
             * @description Sum of their sizes, in bytes.
             */
            module_bytes: number;
            /**
             * Format: int64
             * @description Deployed versions.
             */
            modules: number;
            /**
             * Format: int64
             * @description Recurring schedules.
             */
            schedules: number;
            /**
             * Format: int64
             * @description Secrets.
             */
            secrets: number;
            /**
             * Format: int64
             * @description Tasks that run; where their number has a quota, those on their way to a host, too.
             */
            tasks_running: number;
            /**
             * Format: int64
             * @description Tasks that have not ended.
             */
            tasks_waiting: number;
        };
        /**
         * @description How a check came out.
         * @enum {string}
         */
        Verdict: "ok" | "warn" | "fail";
        /** @description Endpoints, by name. */
        WebhookList: {
            /** @description The endpoints. */
            webhooks: components["schemas"]["WebhookView"][];
        };
        /** @description An endpoint that is told when tasks and batches end. */
        WebhookRequest: {
            /** @description `task.succeeded`, `task.failed`, `task.cancelled`, `task.expired`, `batch.ended`. Default: all of `task.`. */
            events?: string[];
            /** @description Only with this label, `key:value`. */
            label?: string | null;
            /** @description Only of this module, any version. */
            module?: string | null;
            /**
             * @description Its name in the cluster.
             * @example billing
             */
            name: string;
            /** @description Only of this namespace. */
            namespace?: string | null;
            /** @description Whether it begins paused. */
            paused?: boolean;
            /** @description Only of this queue. */
            queue?: string | null;
            /**
             * @description Where events go, by POST. Must be allowed by the server's `webhook_allow`.
             * @example https://example.com/hooks/tasklane
             */
            url: string;
        };
        /** @description An endpoint. */
        WebhookView: {
            /**
             * Format: date-time
             * @description When it was made.
             */
            created_at: string;
            /** @description What it is told of. */
            events: string[];
            /**
             * Format: date-time
             * @description Until when the secret before signs too, after a rotation.
             */
            former_secret_until?: string | null;
            /** @description Only with this label, `key:value`. */
            label?: string | null;
            /** @description Only of this module. */
            module?: string | null;
            /** @description Its name. */
            name: string;
            /** @description Only of this namespace. */
            namespace?: string | null;
            /** @description Why it was paused, if nobody asked for it. */
            paused_because?: string | null;
            /** @description Only of this queue. */
            queue?: string | null;
            /**
             * @description Signs what is sent: shown when it is made and when it is rotated, and never again.
             * @example whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
             */
            secret?: string | null;
            /** @description `active` or `paused`. */
            state: string;
            /** @description Where events go. */
            url: string;
        };
        /** @description Who asks, as the server sees it. */
        WhoAmI: {
            /** @description What the audit log calls them; `anonymous` where nobody has to say who they are. */
            actor: string;
            /** @description Roles by namespace. */
            grants: {
                [key: string]: string;
            };
            /** @description What people call them. */
            name: string;
        };
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
