error({ code = "my-code", message = "my words", hint = "do this" })
