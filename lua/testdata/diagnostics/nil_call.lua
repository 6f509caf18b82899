local t = {}
t:go()
