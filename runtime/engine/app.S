// What the build adds to the host: room for the heap image (heap-image.c), and behind it the
// bytecode of the program, made by the same engine that the host links. Once the image is made it
// takes the place of both: the section has an address of its own, behind all others, so that
// nothing moves.
.section .image, "aw", @progbits
.balign 16
.global app_image, app_bytecode, app_bytecode_end
app_image:
.skip IMAGE_ROOM
app_bytecode:
.incbin "app.bytecode"
app_bytecode_end:
.section .note.GNU-stack, "", @progbits
