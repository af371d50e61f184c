# What every golden here records: text, colours, bytes that are no UTF-8, a character split in time,
# typed input, a window change, exit status 3.
printf 'hello \303\251\344\270\226 \033[1;31mred\033[0m\n'
printf 'half \303'
sleep 0.1
printf '\251 done\n'
printf 'bad \377\376 bytes\n'
read -r name
printf 'hi %s\n' "$name"
sleep 0.6
stty size
exit 3
