# cmake -D FOLDER=… -D OUT=… -P embed.cmake: writes all files of a folder as arrays of bytes, and a
# table kFiles of them, for one C++ file to include.
file(GLOB files LIST_DIRECTORIES false ${FOLDER}/*)
set(rows "")
foreach(file ${files})
  get_filename_component(name ${file} NAME)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
  string(MAKE_C_IDENTIFIER "k_${name}" identifier)
  string(APPEND arrays "constexpr unsigned char ${identifier}[] = {${bytes}0};\n")
  string(APPEND rows "    {\"${name}\", ${identifier}, sizeof ${identifier} - 1},\n")
endforeach()
file(WRITE ${OUT} "${arrays}constexpr EmbeddedFile kFiles[] = {\n${rows}};\n")
