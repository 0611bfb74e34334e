# Titles, and what a guard's #endif belongs to.
!inside && (/^ *\/\* --- / || /^#endif/) { sub(/ *\/\*.*/, ""); print; next }# comments.awk - the comments of the public headers as Doxygen wants them: the headers have
# plain C comments, for people and compilers; what stands before a declaration, or behind
# it in its line, is about it.

# The first one, "h5swim/lock.h - ...", is that of the file.
FNR == 1 { inside = sub(/^\/\* h5swim\/[a-z]+[.]h - /, "/** @file\n * ") }

# Titles, and what a guard's #endif belongs to.
!inside && (/^ *\/\* --- / || /^#endif/) { sub(/ *\/\*.*/, ""); print; next }

{
    if (!inside && match($0, /\/\*/)) {
        before = substr($0, 1, RSTART - 1)
        $0 = before (before ~ /[^ ]/ ? "/**<" : "/**") substr($0, RSTART + 2)
        inside = 1
    }
    if (/\*\//) inside = 0
    print
}
