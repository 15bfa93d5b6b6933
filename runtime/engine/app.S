// The program: bytecode of the same engine that the host links.
.section .rodata
.global app_bytecode, app_bytecode_end
.balign 16
app_bytecode:
.incbin "app.bytecode"
app_bytecode_end:
.byte 0
.section .note.GNU-stack, "", @progbits
